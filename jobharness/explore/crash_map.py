"""Makes a crash map: learns the job's steps, tries every point of them in lanes, tries again what differs.

inspect -> shorten leases -> learn, twice at once; meanwhile, a trial at the handover -> points -> trials, many at once -> the map
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from jobharness.contracts.exactly_once_effect import ExactlyOnceEffect
from jobharness.contracts.finding import Word as Verdict
from jobharness.errors import EnvironmentFailed
from jobharness.explore.chart import CrashMap, Tried, allowed_by
from jobharness.explore.handover import handover, was_at
from jobharness.explore.lanes import CORES, End, Lanes, Try
from jobharness.explore.learning import Learned, Lesson, combined, learn
from jobharness.explore.lines import check_lines
from jobharness.explore.outcome import NEVER_CAME, Lease, Outcome, Word, outcome_of
from jobharness.explore.points import CONTROL, Point, control_point, points_of, telling_first, waiting_first
from jobharness.explore.preparation import Assemble, Preparation, Wishes, sendable, undisturbed
from jobharness.explore.recovery import Recovery, bound_of, passed_of
from jobharness.explore.stage import Setting
from jobharness.explore.trial import Patience, attempt
from jobharness.explore.wings import Wings
from jobharness.history import log
from jobharness.history.frame import History
from jobharness.processes.guardian import Guardian
from jobharness.queues.queue import App
from jobharness.runner.about import about
from jobharness.runner.folder import RunFolder
from jobharness.runner.masking import without_secrets
from jobharness.runner.parts import Parts
from jobharness.scenario.model import CrashmapSpec, Scenario

__all__ = ["Explorer"]

AHEAD_PER_CORE = 8  # Stages that are set while the learning runs idle: about what a core can do meanwhile.
MOST_LESSONS = 3
LEARNING = "learning the job's steps"
LEASE_S = 3.0
JOBS_PER_LEASE = 3  # A lease is this many times as long as the job takes, at least.
LEARN_WITHIN_S = 60.0
SLACK_S = 1.0
NOT_CODE = frozenset(("node_modules", "reports", "venv", "env", "site-packages", "__pycache__", "build", "dist"))


def _unsure(learned: Learned) -> int:
    """Of how much is not known whether it is the job's."""
    return len(learned.doubtful) + len(learned.unheard)


def _lone_job(scenario: Scenario, task: str | None) -> Scenario:
    """The scenario with nothing going wrong, one worker that is always replaced, and one kind of job. Raises: as `sendable`."""
    spec = scenario.crashmap or CrashmapSpec()
    job, *_ = sendable(scenario, "a crash map", task or spec.job, shapes=True)
    return undisturbed(scenario, [job], 1, spec.settings)


class Explorer:
    """Makes the map of one scenario. Args: `assemble`: see `Assemble`; `new_folder`: makes the run's folder, once the
    scenario is known to be fit. Raises: InvalidRequest."""

    def __init__(
        self,
        scenario: Scenario,
        task: str | None,
        assemble: Assemble,
        new_folder: Callable[[], RunFolder],
        tell: Callable[[str], None],
    ) -> None:
        self.spec = scenario.crashmap or CrashmapSpec()
        self.promised = scenario.contract.delivery
        self._made_of = scenario
        alone = _lone_job(scenario, task)
        check_lines(assemble(alone))  # What is unfit is refused before there is a folder.
        self._assemble, self._tell = assemble, tell
        self._wings = Wings()
        self._began = time.monotonic()
        self._lanes = Lanes(self.spec, self._over_budget, tell)
        self.provider, self.cut_short = "", ""
        self.folder = new_folder()
        shorten = self.spec.shorten
        # Who says how long recovery takes is taken at his word.
        wishes = Wishes(LEASE_S if shorten else None, self.spec.zygote, clocks=shorten and self.spec.recovery is None)
        self._preparation = Preparation(alone, assemble, self.folder, wishes)

    @property
    def task(self) -> str:
        """The job's task, or what its chain, group or chord is called."""
        return self.scenario.workload.job[0].name

    def explore(self) -> CrashMap:
        """Make it. Blocks until it is there, for half a minute or so.

        Raises: InvalidRequest before a worker is started; JobNeverSettled, TrafficUnreadable, EnvironmentFailed: there is no map.
        """
        with ExitStack() as stack:
            stack.enter_context(Guardian(self.folder.run_id))
            setting = self.prepare(stack)
            stack.enter_context(self._wings)
            stack.enter_context(self._lanes)
            stack.callback(setting.off.set)  # Where there will be no map, nobody waits for a trial's end.
            self._tell(LEARNING)
            early, lane = self._try_early(setting)
            learned = self._learn(setting, lane)
            if self.lease is not None and learned.took_s > self.lease.lease_s / JOBS_PER_LEASE:
                setting = self._preparation.lengthen(stack, setting, learned.took_s * JOBS_PER_LEASE)
                self._wings.keep(())
                early = None  # It has other leases.
            points = points_of(learned.steps, learned.children)
            self._wings.keep(self._ahead(len(points)))
            tries = self._tries_of(points, early)
            attempt = partial(self._attempt, setting, self._patience(learned.took_s, learned.settled_s))
            left_out = self._lanes.run(tries, attempt, self._counts)
            if self.spec.depth == 2:
                deeper = list(self._second_order(tries, learned))
                left_out += self._lanes.run(deeper, attempt, self._counts)
                tries += deeper
        self._clear()
        return self._chart(learned, tries, left_out)

    # Before the trials.

    def prepare(self, stack: ExitStack) -> Setting:
        """Ask the app, shorten its leases and see that they are shortened. Raises: InvalidRequest."""
        return self._preparation.prepare(stack)

    @property
    def scenario(self) -> Scenario:
        """As it is mapped: one job, leases shortened."""
        return self._preparation.scenario

    @property
    def parts(self) -> Parts:
        """Those of the scenario as it is mapped."""
        return self._preparation.parts

    @property
    def app(self) -> App | None:
        """What the app said of itself; None before it was asked."""
        return self._preparation.app

    @property
    def lease(self) -> Lease | None:
        """How leases were shortened; None where they were not."""
        return self._preparation.lease

    def _learn(self, setting: Setting, lane: Future[None] | None) -> Learned:
        """Twice, at the same time: what only one of the runs has is noise. While the worker idles, the stages of the first trials
        are set, after the trial in the `lane`."""
        spec = self.spec
        ahead = self._ahead(min(self._lanes.wide - 1, AHEAD_PER_CORE * CORES))
        due: frozenset[str] = frozenset()
        ignore = (*getattr(self.parts.queue, "heartbeats", ()), *spec.ignore)

        def lesson(number: int) -> Lesson:
            place = self.folder.path / f"learning-{number}"
            meanwhile = partial(self._wings.set, setting, ahead if number == 1 else (), lane)
            return learn(setting, place, spec.idle, LEARN_WITHIN_S, ignore, spec.keep, due, meanwhile)

        learned = None
        # What is about the job and was heard in one of them only may be chance, once; it is no noise. What came due in both, and
        # only while the job was there, is waited for the next time, and heard before the job.
        for number in range(1, 2 * MOST_LESSONS, 2):
            with ThreadPoolExecutor(2) as pool:
                first, second = pool.map(lesson, (number, number + 1))
            again = combined(first, second)
            learned = again if learned is None or _unsure(again) < _unsure(learned) else learned
            if not (learned.doubtful or learned.unheard):
                break
            due |= again.unheard
        assert learned is not None
        self.provider = learned.provider
        return learned

    def _patience(self, took_s: float, settled_s: float) -> Patience:
        """How long a trial waits, from the live settings and how long the job takes until it is done, and settled."""
        return Patience(
            reach_s=10.0 + 3 * settled_s,
            recover_s=self.recovery.waited_s + SLACK_S,
            job_s=took_s,
            still_s=self.spec.idle if self.spec.steps == "writes" else 0.0,
            # Who says how long is to be waited may know of somebody else who brings jobs back, and so may a peer.
            proof=self.spec.recovery is None and not self.scenario.peer,
            passed_s=self.recovery.passed_s,
        )

    @property
    def recovery(self) -> Recovery:
        """How long the library's own recovery may take, and is waited for."""
        assert self.app is not None
        queue, broker, promised_s = self.parts.queue, self.scenario.broker.kind, self.scenario.contract.recovery
        passed_s = passed_of(queue, broker, self.app) if self._preparation.clock is not None else ()
        bound_s = bound_of(queue, broker, self.app)
        return Recovery(queue.library, bound_s, self.spec.recovery, promised_s, self.lease, passed_s)

    # The trials.

    def _tries_of(self, points: Sequence[Point], early: Try | None) -> list[Try]:
        """In their order. `early`: what was begun at the handover, which is the first of the points if it is any."""
        whole = self.spec.budget is None
        ordered = waiting_first(points) if whole else telling_first(points)
        tries = [Try(point, urgent=whole and point.waits) for point in ordered]
        if early is not None and points:
            early.point, early.urgent = points[0], whole and points[0].waits
            tries = [early if one.point is early.point else one for one in tries]
        return [Try(control_point()), *tries]

    def _try_early(self, setting: Setting) -> tuple[Try | None, Future[None] | None]:
        """Begin with what is known before the steps are, and its lane; None where that is nothing. How long the job takes is not
        known yet."""
        linked = "links" in setting.jobs[0]  # Its steps may begin with any of its jobs.
        if linked or self.spec.steps != "messages":
            return None, None
        one = Try(handover())
        return one, self._lanes.begin(one, partial(self._attempt_early, setting, self._patience(0.0, 0.0)))

    def _attempt_early(self, setting: Setting, patience: Patience, number: int, one: Try, rests: Callable[[], None]) -> End:
        """As `_attempt`; who waits for the map is told at once of what is wrong there already."""
        end = self._attempt(setting, patience, number, one, rests)
        if end.outcome.word not in self.allowed | {Word.UNKNOWN}:
            self._tell(f"{LEARNING}; {end.outcome.text} where its worker dies after {end.point.label}, seen in {end.at_s:.1f} s")
        return end

    def _over_budget(self, one: Try) -> bool:
        """Without the control nothing can be said of any point, so it is tried in any case."""
        if one.point.kind == CONTROL:
            return False
        return self.spec.budget is not None and time.monotonic() - self._began > self.spec.budget

    def _attempt(self, setting: Setting, patience: Patience, number: int, one: Try, rests: Callable[[], None]) -> End:
        """Try it once."""
        began, point = time.monotonic(), one.point
        path = self._place(number)
        own = replace(setting, parts=self._parts_of_control) if point.kind == CONTROL else setting
        try:
            outcome = self.judge(attempt(own, path, point, patience, one.second, self._wings.take(path), rests))
        except EnvironmentFailed as error:
            outcome = Outcome(Word.UNKNOWN, where=str(error).splitlines()[0])
        ended = time.monotonic()
        end = End(number, point, patience, outcome, ended - began, ended - self._began)
        self._keep(end, one.second)
        return end

    def _counts(self, one: Try, end: End) -> bool:
        """Whether a trial was one of the point, which of the handover is known only now. What does not count is gone."""
        if end.point == one.point:
            return True
        path = self._place(end.number)
        kept = path / "history.parquet"  # There is none where its stage could not be set.
        if kept.exists() and was_at(one.point, log.load(kept)):
            self._keep(replace(end, point=one.point), one.second)
            return True
        shutil.rmtree(path, ignore_errors=True)
        self._account_of(end.number).unlink()
        return False

    def judge(self, history: History) -> Outcome:
        """What a trial came to: its job's outcome, and what of the app's data and effects was wrong."""
        outcome = outcome_of(history, self.within_s, self.lease)
        ledger = next((one for one in self.parts.contracts if isinstance(one, ExactlyOnceEffect)), None)
        if ledger is None:
            return outcome
        found = ledger.check(history)
        if found.word is Verdict.BROKEN:
            return replace(outcome, wrong={**outcome.wrong, found.contract: found.sentence})
        right = outcome.word in self.allowed and not outcome.wrong
        if found.word is Verdict.UNKNOWN and outcome.times and right:
            return Outcome(Word.UNKNOWN, where=found.sentence)  # It was done, and nobody saw its effect.
        return outcome

    @property
    def allowed(self) -> frozenset[Word]:
        """The outcomes that are right."""
        return allowed_by(self.promised, self.spec.allow)

    def _parts_of_control(self) -> Parts:
        """Where nothing goes wrong, a second worker stands by, unless the scenario says that there is only one."""
        queue = self._made_of.queue
        alone = queue.workers == 1 and "workers" in queue.model_fields_set
        return self._assemble(self.scenario.with_(queue__workers=1 if alone else 2))

    @property
    def trials(self) -> Path:
        """Where the evidence of the trials is."""
        return self.folder.path / "trials"

    def _place(self, number: int) -> Path:
        return self.trials / str(number)

    def _ahead(self, stages: int) -> list[Path]:
        """Where the next so many trials will be, but for the very next one, the control's, which has another stage."""
        first = self._lanes.begun + 2
        return [self._place(number) for number in range(first, first + stages)]

    @property
    def within_s(self) -> float:
        """How soon a job must be back; infinite where nothing was promised."""
        promised = self.spec.within if self.spec.within is not None else self.scenario.contract.recovery
        return promised if promised is not None else math.inf

    def _account_of(self, number: int) -> Path:
        return self.trials / f"{number}.json"

    def _keep(self, end: End, second: Point | None) -> None:
        number = end.number
        told = {
            "schema": 1,
            "point": asdict(end.point),
            "second": asdict(second) if second is not None else None,
            "patience": asdict(end.patience),
            "task": self.task,
            "outcome": end.outcome.plain(),
            "evidence": {
                "history": f"{number}/history.parquet",
                "transcript": f"{number}/transcript.txt",
                "logs": f"{number}/logs",
            },
        }
        self._account_of(number).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def _second_order(self, tries: Sequence[Try], learned: Learned) -> Iterator[Try]:
        """The recovering worker, killed at each step of the recovery: of a worker's death that did not lose the job."""
        for one in tries:
            if one.point.victim != "tree" or not one.outcomes or one.outcomes[0].word in (Word.LOST, Word.UNKNOWN):
                continue
            for step in points_of(learned.steps, False):
                if step.victim == "tree":
                    yield Try(one.point, step)

    # Afterwards.

    def _clear(self) -> None:
        shutil.rmtree(self.folder.records, ignore_errors=True)
        shutil.rmtree(self.folder.data, ignore_errors=True)
        shutil.rmtree(self.folder.mishaps, ignore_errors=True)

    def _chart(self, learned: Learned, tries: Sequence[Try], left_out: Sequence[Try]) -> CrashMap:
        chance = [one for one in tries if _by_chance(one, learned)]
        tries = [one for one in tries if one not in chance]
        order = sorted((one for one in tries if one.outcomes), key=lambda one: _place(one.point))
        recovery, outcomes = self.recovery, [outcome for one in order if one.point.kind != CONTROL for outcome in one.outcomes]
        return CrashMap(
            title=self.scenario.title,
            task=self.task,
            folder=self.folder.path,
            steps=learned.steps,
            tried=tuple(Tried(one.point, one.outcomes, one.trials, one.second) for one in order),
            allowed=self.allowed,
            left_out=(
                *(one.point.sentence() for one in left_out),
                *(f"{label}: heard in one of two learning runs only, though it is about the job" for label in learned.doubtful),
            ),
            noise=(*learned.noise, *(one.point.label for one in chance)),
            idle=learned.idle,
            waits=tuple(recovery.words(outcomes)),
            recovery=recovery.plain(outcomes),
            children=learned.children,
            took_s=time.monotonic() - self._began,
            firsts=_firsts(tries),
            about=self.account(),
        )

    def account(self) -> dict[str, Any]:
        """What can be said of this map's making: scenario, versions, settings, and a digest of the app's code."""
        made_of = without_secrets(self._made_of.model_dump(exclude_unset=True, by_alias=True))
        return {**about(self), "made_of": made_of, "code": _digest_of(self.parts.project / self.scenario.queue.folder)}


def _firsts(tries: Sequence[Try]) -> dict[str, float]:
    """How long it took until each outcome was first seen, s."""
    ends = sorted((end for one in tries for end in one.ends), key=lambda end: -end.at_s)
    return {str(end.outcome.word): end.at_s for end in ends}


def _by_chance(one: Try, learned: Learned) -> bool:
    """Whether both learning runs heard by chance what its point strikes at: it is not about the job, changes nothing, and came in
    no trial. So it is with a pool that opens another connection when two threads ask it at once."""
    step = learned.steps[one.point.step] if one.point.kind != CONTROL else None
    never = [outcome.word is Word.UNKNOWN and outcome.where == NEVER_CAME for outcome in one.outcomes]
    return step is not None and step.reads and not step.names_job and len(never) > 1 and all(never)


def _digest_of(folder: Path) -> str:
    """Of the app's own source: what a fix changes. Environments and reports in the folder are not part of it."""
    digest = hashlib.sha256()
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NOT_CODE)
        for name in sorted(files):
            if name.endswith(".py"):
                digest.update((Path(root) / name).read_bytes())
    return digest.hexdigest()[:16]


def _place(point: Point) -> tuple[int, int, str]:
    kinds = (CONTROL, "before", "after", "reply lost", "message lost")
    return point.step, kinds.index(point.kind), point.victim
