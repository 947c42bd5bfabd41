"""From a scenario to a written report: what the command line and the pytest plugin both call."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from jobharness.catalog import assemble
from jobharness.report.publish import publish
from jobharness.runner.about import about
from jobharness.runner.folder import new_folder
from jobharness.runner.progress import Progress, Silent
from jobharness.runner.result import Result
from jobharness.runner.run import Run
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario

__all__ = ["Harness"]


class Harness:
    """Runs scenarios of one project. `project`: the folder that apps are imported from; `reports`: where run folders go."""

    def __init__(self, project: Path, reports: Path | None = None, progress: Progress | None = None) -> None:
        self.project = project.resolve()
        self.reports = reports if reports is not None else self.project / "reports"
        self._progress = progress if progress is not None else Silent()

    def run(self, scenario: Scenario | Path | str, **changes: Any) -> Result:
        """Run a scenario (a file, relative to the project, or a Scenario) once and write its report.

        `changes` are laid over it, as in `Scenario.with_`: `workers=4`, `seed=3`, `workload__duration="2s"`. Blocks
        until the run is over.

        Raises: InvalidRequest before anything is started, EnvironmentFailed when something could not be started.
        """
        source = None
        if not isinstance(scenario, Scenario):
            source = self.project / scenario
            scenario = load_scenario(source)
        if changes:
            scenario = scenario.with_(**changes)
        parts = assemble(scenario, self.project, source)
        folder = new_folder(self.reports, source.stem if source is not None else scenario.title)
        run = Run(parts, folder, self._progress)
        run.execute()
        verdict, metrics, crossings = run.judge()
        result = Result(
            scenario=scenario,
            source=source,
            folder=folder.path,
            history=run.history,
            verdict=verdict,
            metrics=metrics,
            crossings=crossings,
            about=about(run),
            repeat=self._repeat(scenario, source),
        )
        publish(result)
        return result

    def _repeat(self, scenario: Scenario, source: Path | None) -> str:
        if source is None:
            return shlex.join(sys.argv)
        try:
            shown = source.relative_to(Path.cwd())
        except ValueError:
            shown = source
        return f"jobharness run {shlex.quote(str(shown))} --seed {scenario.seed}"
