"""Stages that are set beforehand, while there is nothing else for the processors to do."""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from jobharness.errors import EnvironmentFailed
from jobharness.explore.stage import Setting, Stage, stage_in

__all__ = ["Wings"]


class Wings:
    """Stages that wait, each by the path of its folder. Use it as a context: leaving it strikes those that nobody wanted. Not for
    two threads at once, but for `take`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor()
        self._set: dict[Path, tuple[AbstractContextManager[Stage], Future[Stage]]] = {}

    def __enter__(self) -> Wings:
        return self

    def __exit__(self, *_: object) -> None:
        self.keep(())
        self._pool.shutdown()

    def set(self, setting: Setting, paths: Iterable[Path]) -> None:
        """Begin to set stages at these paths; returns at once."""
        for path in paths:
            stage = stage_in(setting, path)
            self._set[path] = stage, self._pool.submit(stage.__enter__)

    def take(self, path: Path) -> AbstractContextManager[Stage] | None:
        """The stage at this path, which is the caller's from now on; None where none was set. Entering it raises what its setting
        has raised."""
        return _entered(*self._set.pop(path)) if path in self._set else None

    def keep(self, paths: Container[Path]) -> None:
        """Strike all stages but those at these paths."""
        for path in [path for path in self._set if path not in paths]:
            with suppress(EnvironmentFailed), _entered(*self._set.pop(path)):
                pass
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _entered(stage: AbstractContextManager[Stage], entering: Future[Stage]) -> Iterator[Stage]:
    entered = entering.result()
    try:
        yield entered
    finally:
        stage.__exit__(None, None, None)
