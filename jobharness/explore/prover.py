"""Makes a lease proof: the leases are shortened once, then every kind of job is played in every schedule, many at once.

inspect -> shorten leases, and see that they are -> each job alone, for its times -> schedules in lanes -> the proof
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobharness.errors import EnvironmentFailed, InvalidRequest
from jobharness.explore.lease_proof import KindProof, LeaseProof
from jobharness.explore.lines import check_lines
from jobharness.explore.ownership import Answer, Ownership, Schedule, gravest, ownership_of
from jobharness.explore.play import NUDGES, Played, Waits, play, rehearse_alone
from jobharness.explore.preparation import Assemble, Preparation, Wishes, jobs_of, sendable, undisturbed
from jobharness.explore.safe_lease import Times, safe_lease, seconds_of, times_of
from jobharness.explore.stage import Setting
from jobharness.history import log
from jobharness.history.frame import History
from jobharness.processes.guardian import Guardian
from jobharness.processes.process import Process
from jobharness.queues.queue import App, LeaseTerms, TellsLease
from jobharness.runner.about import about
from jobharness.runner.folder import RunFolder
from jobharness.runner.parts import Parts
from jobharness.scenario.lease import LeaseSpec
from jobharness.scenario.model import Scenario

__all__ = ["Prover"]

LANES_PER_CORE = 8
ALONE = 3  # So often each job runs alone, for its times.
SLACK_S = 1.0
UNKNOWN_LEASE_S = 6.0
FOUND_S = 1.0
MOST_AGAIN = 3
LEAST_JUMP_S = 600.0
WORKERS = 2
WAITED_SHARE = 0.7  # Of a lease that nothing renews, with a step of a clock.


def _provable(scenario: Scenario, task: str | None) -> Scenario:
    """The scenario with nothing going wrong but what the proof does, two workers that are always replaced, and the wanted jobs.
    Raises: as `sendable`."""
    spec = scenario.lease or LeaseSpec()
    jobs = sendable(scenario, "a lease proof", task or spec.job)
    held = {"kind": "task", "action": "hang", "at": "0s"}
    return undisturbed(scenario, jobs, WORKERS, spec.settings, NUDGES).with_(fault=[held])


class Prover:
    """Proves one scenario's leases. Args: `assemble`, `new_folder`, `tell`: as `Explorer` has them; `times`: a run's folder.
    Raises: InvalidRequest."""

    def __init__(
        self,
        scenario: Scenario,
        task: str | None,
        times: Path | None,
        assemble: Assemble,
        new_folder: Callable[[], RunFolder],
        tell: Callable[[str], None],
    ) -> None:
        self.spec = scenario.lease or LeaseSpec()
        prepared = _provable(scenario, task)
        parts = assemble(prepared.with_(fault=[*prepared.fault, self._clock_fault]))
        check_lines(parts)  # What is unfit is refused before there is a folder.
        if not getattr(parts.queue, "lists_held", True):
            raise InvalidRequest(
                "a lease proof asks the broker whether it still holds a job that runs; "
                "queue.ask.held must list them (job id, where)"
            )
        self._times_from = times
        self._measured = log.load(times / "history.parquet") if times is not None else None
        self._assemble, self._tell = assemble, tell
        self._began = time.monotonic()
        self._terms: LeaseTerms | None = None
        self.provider, self.cut_short = "", ""
        self.folder = new_folder()
        wishes = Wishes(self.spec.shorten_to if self.spec.shorten else None, self.spec.zygote, connections=True)
        self._preparation = Preparation(prepared, assemble, self.folder, wishes)

    @property
    def parts(self) -> Parts:
        """Of the scenario as it is proved."""
        return self._preparation.parts

    @property
    def app(self) -> App | None:
        """What the app said of itself; None before it was asked."""
        return self._preparation.app

    @property
    def _clock_fault(self) -> dict[str, Any]:
        return {"kind": "clock", "jump": "1h", "at": "0s", "through": self.spec.clock}

    def prove(self) -> LeaseProof:
        """Make it. Blocks until it is there: for three leases or so.

        Raises: InvalidRequest before a worker is started; EnvironmentFailed where there is no proof.
        """
        with ExitStack() as stack:
            stack.enter_context(Guardian(self.folder.run_id))
            self._tell("asking the app, shortening its leases")
            setting = self._preparation.prepare(stack)
            self._terms = self._terms_of(self._preparation.app)
            kinds = self._play_all(setting)
        for place in (self.folder.records, self.folder.data, self.folder.mishaps):
            shutil.rmtree(place, ignore_errors=True)
        return LeaseProof(
            title=self._preparation.scenario.title,
            folder=self.folder.path,
            kinds=tuple(kinds),
            terms=self._terms_of(self._preparation.as_given),
            shortened=self._preparation.lease,
            forbidden=self.spec.forbid,
            took_s=time.monotonic() - self._began,
            about=about(self),
        )

    def _terms_of(self, app: App | None) -> LeaseTerms | None:
        """What the scenario says of the lease, over what the adapter tells."""
        queue, spec = self.parts.queue, self.spec
        terms = None
        if isinstance(queue, TellsLease) and app is not None:
            terms = queue.lease(self._preparation.scenario.broker.kind, app)
        if spec.lasts is not None:
            terms = replace(terms or LeaseTerms("as the scenario says", found_s=FOUND_S), lasts_s=spec.lasts)
        if terms is not None and spec.found_within is not None:
            terms = replace(terms, found_s=spec.found_within)
        if terms is not None and spec.renewed_every is not None:
            terms = replace(terms, renewed_s=spec.renewed_every)
        if terms is not None and spec.setting:
            terms = replace(terms, setting=spec.setting)
        return terms

    def _waits(self, schedule: Schedule) -> Waits:
        """With a step of a clock nothing may run out by itself: of a lease that nothing renews, only a part is waited for."""
        terms = self._terms
        lasts_s = terms.lasts_s if terms is not None and terms.lasts_s != float("inf") else UNKNOWN_LEASE_S
        found_s = terms.found_s if terms is not None else FOUND_S
        jump_s = max(LEAST_JUMP_S, 2 * (lasts_s + found_s))
        if not schedule.moves_clocks:
            return Waits(lasts_s + found_s + SLACK_S, jump_s, min(found_s, lasts_s) + SLACK_S)
        if terms is not None and terms.renewed_s is not None:
            return Waits(found_s + SLACK_S, jump_s, SLACK_S)
        return Waits(min(found_s + SLACK_S, lasts_s * WAITED_SHARE), jump_s, min(SLACK_S, lasts_s / 6))

    def _play_all(self, setting: Setting) -> list[KindProof]:
        """Every kind in every schedule, in lanes."""
        settings = {str(job.task): replace(setting, jobs=self._jobs_of(job)) for job in self.parts.scenario.workload.job}
        lanes = self.spec.lanes or LANES_PER_CORE * (os.cpu_count() or 1)
        played: dict[tuple[str, Schedule], list[tuple[Ownership, str]]] = {}
        alone: dict[str, list[float]] = {task: [] for task in settings}
        with ThreadPoolExecutor(lanes) as pool:
            running: dict[Future[Any], tuple[str, Schedule | None]] = {}
            for number, (task, own) in enumerate(settings.items(), 1):
                for one in range(ALONE if self._measured is None else 0):
                    running[pool.submit(self._alone, own, f"{number}-alone-{one + 1}", task)] = (task, None)
                for schedule in Schedule:
                    for one in range(self.spec.tries):
                        name = f"{number}-{schedule.name.lower()}-{one + 1}"
                        running[pool.submit(self._play, own, name, schedule)] = (task, schedule)
            for done, future in enumerate(as_completed(running), 1):
                task, played_as = running[future]
                if played_as is None:
                    alone[task] += future.result()
                else:
                    played.setdefault((task, played_as), []).append(future.result())
                self._tell(f"{done} trials, {len(running) - done} to go")
        return [self._kind(task, played, alone[task]) for task in settings]

    def _jobs_of(self, job: Any) -> Sequence[Mapping[str, Any]]:
        plain = job.model_dump(exclude_unset=True, by_alias=True)
        return jobs_of(replace(self.parts, scenario=self.parts.scenario.with_(workload__job=[plain])))

    def _alone(self, setting: Setting, name: str, task: str) -> list[float]:
        try:
            return seconds_of(self._seen(rehearse_alone(setting, self.folder.path / "trials" / name)), task)
        except EnvironmentFailed:
            return []

    def _play(self, setting: Setting, name: str, schedule: Schedule) -> tuple[Ownership, str]:
        """Play it, and again where it could not tell: unless that had the same reason twice."""
        found, again = self._play_once(setting, name, schedule), 0
        while found[0].undecided and again < MOST_AGAIN:
            again += 1
            before, found = found, self._play_once(setting, f"{name}-again-{again}", schedule)
            if found[0].why == before[0].why:
                break
        return found

    def _play_once(self, setting: Setting, name: str, schedule: Schedule) -> tuple[Ownership, str]:
        path = self.folder.path / "trials" / name
        if schedule.moves_clocks:
            # A clock is moved before the library is imported, which a warm process has done already.
            setting = replace(setting, parts=self._with_clocks, start=Process)
        try:
            history = self._seen(play(setting, path, schedule, self._waits(schedule)))
            return ownership_of(history, schedule, self._terms), name
        except EnvironmentFailed as error:
            return Ownership(schedule, Answer.UNKNOWN, Answer.NONE, str(error).splitlines()[0]), name

    def _seen(self, played: Played) -> History:
        self.provider = played.provider
        return played.history

    def _with_clocks(self) -> Parts:
        scenario = self._preparation.scenario
        return self._assemble(scenario.with_(fault=[*scenario.model_dump(exclude_unset=True)["fault"], self._clock_fault]))

    def _kind(
        self, task: str, played: Mapping[tuple[str, Schedule], list[tuple[Ownership, str]]], alone: Sequence[float]
    ) -> KindProof:
        worst = [gravest(played[task, schedule]) for schedule in Schedule]
        times = self._times(task, alone)
        answers = {one.schedule: one.two_owners for one, _ in worst}
        terms = self._terms_of(self._preparation.as_given)
        renewed_s = next(one.renewed_s for one, _ in worst if one.schedule is Schedule.SLOW)
        if terms is not None and terms.renewed_s is None:
            terms = replace(terms, renewed_s=renewed_s)
        safe = safe_lease(terms, times, self.spec.safety, answers[Schedule.SLOW], answers[Schedule.BLOCKED])
        return KindProof(task, tuple(one for one, _ in worst), tuple(name for _, name in worst), times, safe)

    def _times(self, task: str, alone: Sequence[float]) -> Times | None:
        if self._measured is None:
            return times_of(alone, "runs of it alone")
        assert self._times_from is not None
        return times_of(seconds_of(self._measured, task), self._times_from.name)
