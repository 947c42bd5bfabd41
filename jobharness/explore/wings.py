"""Stages that are set beforehand, while there is nothing else for the processors to do."""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from jobharness.errors import EnvironmentFailed
from jobharness.explore.stage import Setting, Stage, stage_in

__all__ = ["Wings"]

HEAD_START_S = 1.2


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

    def set(self, setting: Setting, paths: Iterable[Path], first: Future[None] | None = None) -> None:
        """Set stages at these paths, once what goes `first` is done, or has had its head start; returns at once."""
        for path in paths:
            stage = stage_in(setting, path)
            self._set[path] = stage, self._pool.submit(_enter, stage, first)

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


def _enter(stage: AbstractContextManager[Stage], first: Future[None] | None) -> Stage:
    if first is not None:
        wait([first], HEAD_START_S)
    return stage.__enter__()


@contextmanager
def _entered(stage: AbstractContextManager[Stage], entering: Future[Stage]) -> Iterator[Stage]:
    entered = entering.result()
    try:
        yield entered
    finally:
        stage.__exit__(None, None, None)
