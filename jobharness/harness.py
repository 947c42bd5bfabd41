"""From a scenario to a written report: what the command line and the pytest plugin both call."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobharness.catalog import assemble
from jobharness.errors import EnvironmentFailed, InvalidRequest
from jobharness.explore.advice import Advised, advised, changed_by
from jobharness.explore.chart import CrashMap
from jobharness.explore.crash_map import Explorer
from jobharness.explore.lease_proof import LeaseProof
from jobharness.explore.prover import Prover
from jobharness.explore.replay import Kept, Replayed, Replayer
from jobharness.queues.queue import Advises
from jobharness.report.crash_page import publish_map
from jobharness.report.digest import digest
from jobharness.report.lease_page import publish_proof
from jobharness.report.publish import publish
from jobharness.runner.abort import Abort
from jobharness.runner.about import about
from jobharness.runner.folder import RunFolder, new_folder
from jobharness.runner.parts import Parts
from jobharness.runner.producers import Producers
from jobharness.runner.progress import Progress, Silent
from jobharness.runner.rehearsal import rehearse
from jobharness.runner.result import Result
from jobharness.runner.run import Run
from jobharness.scenario.load import changed, load_scenario
from jobharness.scenario.model import Scenario

__all__ = ["Harness"]

BACKLOG = 200


class Harness:
    """Runs scenarios of one project.

    Args: `project`: the folder that apps are imported from; `reports`: where run folders go; `repeat`: the command that repeats a
    run, where it is not `jobharness run`; `abort`: the switch that ends its runs early. SIGUSR1 always does.
    """

    def __init__(
        self,
        project: Path,
        reports: Path | None = None,
        progress: Progress | None = None,
        repeat: str | None = None,
        abort: Abort | None = None,
    ) -> None:
        self.project = project.resolve()
        self.reports = reports if reports is not None else self.project / "reports"
        self._progress = progress if progress is not None else Silent()
        self._repeat = repeat
        self._abort = abort

    def run(self, scenario: Scenario | Path | str, **changes: Any) -> Result:
        """Run a scenario (a file, relative to the project, or a Scenario) once and write its report.

        `changes` are laid over it, as in `Scenario.with_`: `workers=4`, `seed=3`, `workload__duration="2s"`. Blocks
        until the run is over.

        Raises: InvalidRequest before anything is started; EnvironmentFailed when something could not be started, and
        KeyboardInterrupt, both after the report of what was seen until then was written (its folder is in the exception's notes).
        """
        return self._execute_controlled(self._parts(scenario, changes), None)

    def load(self, scenario: Scenario | Path | str, producers: Producers, **changes: Any) -> Result:
        """The same with others than the plan's own producer to send the jobs. Raises: as `run`."""
        parts = self._parts(scenario, changes)
        producers.check(parts.scenario)
        return self._execute_controlled(parts, producers)

    def _execute_controlled(self, parts: Parts, producers: Producers | None) -> Result:
        """Run it, after a control run without faults if the scenario asks for one."""
        control = None
        if parts.scenario.control:
            control = self._execute(assemble(parts.scenario.without_faults(), self.project, parts.source), None, producers)
            if control.aborted:
                return control
        return self._execute(parts, control, producers)

    def _execute(self, parts: Parts, control: Result | None, producers: Producers | None) -> Result:
        """Run it once and write its report; `control` is the same without faults, if that was asked for."""
        source = parts.source
        folder = new_folder(self.reports, source.stem if source is not None else parts.scenario.title)
        abort = self._abort if self._abort is not None else Abort()
        run = Run(parts, folder, self._progress, abort, producers)
        try:
            with abort.by_signals(signal.SIGUSR1):
                run.execute()
        except (InvalidRequest, EnvironmentFailed, KeyboardInterrupt) as error:
            if isinstance(error, InvalidRequest) or not run.saved:
                # Nothing of the app was started, so there is nothing to look at.
                shutil.rmtree(folder.path)
                raise
            self._publish(run, folder, control)
            error.add_note(f"What was seen until then, with the log of every process: {_as_typed(folder.path)}")
            raise
        return self._publish(run, folder, control)

    def crash_map(
        self, scenario: Scenario | Path | str, task: str | None = None, tell: Callable[[str], None] | None = None, **changes: Any
    ) -> CrashMap:
        """Make the crash map of one job of a scenario, and write its report. `task`: the job's; `tell`: is told where it is.

        Blocks for half a minute or so. Raises: InvalidRequest before a worker is started; JobNeverSettled, TrafficUnreadable and
        other EnvironmentFailed when there can be no map; KeyboardInterrupt.
        """
        parts = self._parts(scenario, changes)
        explorer = self._explorer(parts, task, tell)
        with _kept(explorer.folder.path):
            chart = explorer.explore()
        publish_map(chart)
        return chart

    def prove_lease(
        self,
        scenario: Scenario | Path | str,
        task: str | None = None,
        times: Path | None = None,
        tell: Callable[[str], None] | None = None,
        **changes: Any,
    ) -> LeaseProof:
        """Make the lease proof of a scenario, and write its report. `task`: of the only kind of job that is tried; `times`: a
        run's folder, from whose history run times are taken.

        Blocks for a minute or so. Raises: InvalidRequest before a worker is started; RunUnreadable for what is no run;
        EnvironmentFailed when there can be no proof; KeyboardInterrupt.
        """
        parts = self._parts(scenario, changes)
        name = f"{parts.source.stem if parts.source is not None else parts.scenario.title} lease proof"
        spec = parts.scenario.lease
        if times is None and spec is not None and spec.times is not None:
            times = self.project / spec.times

        def assembled(scenario: Scenario) -> Parts:
            return assemble(scenario, self.project, parts.source)

        prover = Prover(parts.scenario, task, times, assembled, lambda: new_folder(self.reports, name), tell or _silent)
        with _kept(prover.folder.path):
            proof = prover.prove()
        publish_proof(proof)
        return proof

    def advise(
        self, scenario: Scenario | Path | str, task: str | None = None, tell: Callable[[str], None] | None = None, **changes: Any
    ) -> list[Advised]:
        """The crash map as it is, and once more with each single change that the queue's adapter knows: which points turn right,
        and what that costs. A change that this app or version does not take says so.

        Blocks for a minute or so for each change. Raises: as `crash_map`; InvalidRequest where nothing is known that would help.
        """
        parts = self._parts(scenario, changes)
        tell = tell or _silent
        queue = parts.queue
        known = queue.advice(parts.scenario.broker.kind) if isinstance(queue, Advises) else []
        if not known:
            raise InvalidRequest(f"no setting of {queue.library} on {parts.scenario.broker.kind} is known to make a job safer")
        made_of = parts.scenario
        before = self.crash_map(made_of, task, _under("as it is", tell))
        found = [Advised(None, before, self._speed(made_of, before.task))]
        for advice in known:
            changed_scenario = changed_by(made_of, advice)
            try:
                chart = self.crash_map(changed_scenario, task, _under(advice.name, tell))
            except (InvalidRequest, EnvironmentFailed) as error:
                found.append(Advised(advice, None, why_not=str(error).splitlines()[0]))
                continue
            found.append(advised(advice, before, chart, self._speed(changed_scenario, before.task)))
        return found

    def _speed(self, scenario: Scenario, task: str) -> float | None:
        """Jobs per second of a backlog of this task, with nothing going wrong; None where they cannot be had."""
        backlog = {
            "locale": scenario.workload.locale,
            "arrivals": {"process": "backlog", "jobs": BACKLOG},
            "job": [job.model_dump(exclude_unset=True, by_alias=True) for job in scenario.workload.job if job.name == task],
        }
        calm = scenario.without_faults().with_(workload=backlog, contract={}, gate={}, service=None)
        with TemporaryDirectory() as reports:
            try:
                result = Harness(self.project, Path(reports)).run(calm)
            except (InvalidRequest, EnvironmentFailed):
                return None
        return result.metrics["throughput"].value if "throughput" in result.metrics else None

    def _explorer(self, parts: Parts, task: str | None, tell: Callable[[str], None] | None) -> Explorer:
        name = f"{parts.source.stem if parts.source is not None else parts.scenario.title} crash map"

        def assembled(scenario: Scenario) -> Parts:
            return assemble(scenario, self.project, parts.source)

        made = Explorer(parts.scenario, task, assembled, lambda: new_folder(self.reports, name), tell or _silent)
        return made

    def replay(self, trial: Path, tell: Callable[[str], None] | None = None) -> Replayed:
        """Repeat one trial of a map, with the scenario and the app as they are now.

        Raises: RunUnreadable for what is no trial; else as `crash_map`.
        """
        kept = Kept.load(trial)
        chart = CrashMap.load(kept.folder)
        source = chart.about.get("source")
        file = self.project / str(source)
        scenario = file if source is not None and file.exists() else Scenario.model_validate(chart.about["made_of"])
        parts = self._parts(scenario, {})
        replayer = Replayer(self._explorer(parts, kept.task, tell))
        return replayer.replay(kept, chart.about, chart.allowed)

    def rehearse(self, scenario: Scenario | Path | str, **changes: Any) -> list[str]:
        """What a run would do, in words, a line each. Nothing is touched. Raises: InvalidRequest, PortTaken."""
        return list(rehearse(self._parts(scenario, changes)))

    def check(self, scenario: Scenario | Path | str, **changes: Any) -> None:
        """Everything that can be said of a scenario without starting anything.

        Raises: InvalidRequest, or PortTaken for a fixed port that is in use now.
        """
        self._parts(scenario, changes)

    def _parts(self, scenario: Scenario | Path | str, changes: Mapping[str, Any]) -> Parts:
        source = None
        if not isinstance(scenario, Scenario):
            source = _as_typed(self.project / scenario)
            scenario = load_scenario(source)
        if changes:
            scenario = changed(scenario, str(source or "scenario"), changes)
        return assemble(scenario, self.project, source)

    def _publish(self, run: Run, folder: RunFolder, control: Result | None) -> Result:
        verdict, metrics, crossings = run.judge()
        if control is not None:
            verdict = verdict.against(control.verdict, control.folder.name)
        result = Result(
            scenario=run.parts.scenario,
            source=run.parts.source,
            folder=folder.path,
            history=run.history,
            verdict=verdict,
            metrics=metrics,
            crossings=crossings,
            about=about(run),
            repeat=self._repeat or _command(run.producers, run.parts.scenario, run.parts.source),
        )
        publish(result)
        return replace(result, notes=_told(result))


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """A failure says where to find what was seen until then; of an invalid request nothing is kept, since nothing was started."""
    try:
        yield
    except InvalidRequest:
        shutil.rmtree(folder)
        raise
    except EnvironmentFailed as error:
        error.add_note(f"What was seen until then, with the log of every process: {_as_typed(folder)}")
        raise


def _told(result: Result) -> list[str]:
    """Publish the metrics for Prometheus and tell the webhooks, where the scenario asks for it."""
    if result.scenario.prometheus is not None:
        from jobharness.integrations.exposition import write_textfile

        labels = {"queue": result.scenario.queue.adapter, "scenario": result.scenario.title}
        write_textfile(result.metrics, result.folder / "metrics.prom", labels)
    if not result.scenario.webhook:
        return []
    from jobharness.integrations.webhook import deliver

    return [deliver(webhook, digest(result)) for webhook in result.scenario.webhook]


def _under(name: str, tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tells which map it is that gets on."""
    return lambda words: tell(f"{name}: {words}")


def _silent(words: str) -> None:
    """Nobody wants to know."""


def _as_typed(path: Path) -> Path:
    """A path as a person in this folder would type it: messages and repeat commands show it."""
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _command(producers: Producers, scenario: Scenario, source: Path | None) -> str:
    if source is None:
        return shlex.join(sys.argv)
    return shlex.join([*producers.command, str(source), "--seed", str(scenario.seed)])
