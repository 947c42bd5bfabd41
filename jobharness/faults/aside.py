"""What a fault has done beside the run: an act that takes seconds must not keep everything else waiting."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

__all__ = ["Aside"]


class Aside:
    """One act, begun at once in a thread of its own, after `behind`, if that succeeded.

    What it raises is raised by the first who asks whether it is done; it goes unheard where nobody asks any more.
    """

    def __init__(self, act: Callable[[], None], behind: Aside | None = None) -> None:
        self._act, self._behind = act, behind
        self._over = Event()
        self._failed = False
        self._error: BaseException | None = None  # Until somebody was told.
        Thread(target=self._run, daemon=True, name="jobharness-aside").start()

    def _run(self) -> None:
        try:
            if self._behind is None or self._behind._succeeded():
                self._act()
        except BaseException as error:
            self._failed, self._error = True, error
        finally:
            self._over.set()

    def _succeeded(self) -> bool:
        self._over.wait()
        return not self._failed

    def is_done(self, within_s: float = 0.0) -> bool:
        """Whether it is over. Blocks for `within_s` at most. Raises: once, what the act raised."""
        self._over.wait(within_s)
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._over.is_set()
