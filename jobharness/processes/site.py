"""Where the processes of a run may live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.processes.process import Process

__all__ = ["Site"]


@dataclass(frozen=True)
class Site:
    """Folders of a run (`data` for servers, `logs`, `records` for events), the run's mark, and the environment of a
    plain process."""

    data: Path
    logs: Path
    records: Path
    mark: str
    env: Mapping[str, str]

    def start(
        self,
        name: str,
        command: Sequence[str],
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> Process:
        """Start a process of the run; `env` is laid over the plain environment, `keep` are descriptors that it inherits.

        Raises: ProcessFailed when its command cannot be started.
        """
        place = folder if folder is not None else self.data
        around = {**self.env, **(env or {})}
        log = self.logs / f"{name}.log"
        return Process(name, command, env=around, folder=place, log=log, mark=self.mark, keep=keep)
