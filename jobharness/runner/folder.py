"""The folder of a run: `reports/<run-id>/`, what stands where in it, and how it gets its name."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from jobharness.clock import utc_now
from jobharness.errors import ReportsNotWritable

__all__ = ["ABORT", "RunFolder", "new_folder"]

ABORT = "ABORT"
"""The file whose appearance in the folder of a run aborts it; its first line may say who asks."""


@dataclass(frozen=True)
class RunFolder:
    """Paths within the folder of one run."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's name: date, time, scenario, four random letters."""
        return self.path.name

    @property
    def records(self) -> Path:
        """Where every process appends its records; removed once they are in the history."""
        return self.path / "records"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.path / "logs"

    @property
    def data(self) -> Path:
        """Data of the servers of the run, and of the app where it asks for {run.folder}."""
        return self.path / "data"

    @property
    def mishaps(self) -> Path:
        """Orders of the harness to the executions of tasks."""
        return self.path / "mishaps"

    @property
    def abort(self) -> Path:
        """The file whose appearance aborts the run."""
        return self.path / ABORT

    @property
    def plan(self) -> Path:
        """The jobs as planned, JSON lines."""
        return self.path / "plan.jsonl"


def new_folder(reports: Path, name: str) -> RunFolder:
    """Make the folder of a new run under `reports`.

    Raises: ReportsNotWritable.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48] or "run"
    path = reports / f"{utc_now():%Y%m%d-%H%M%S}-{slug}-{secrets.token_hex(2)}"
    folder = RunFolder(path.resolve())
    try:
        for place in (folder.records, folder.logs, folder.data, folder.mishaps):
            place.mkdir(parents=True)
    except OSError as error:
        raise ReportsNotWritable(str(reports), error.strerror or str(error)) from error
    return folder
