"""Memory: a worker's process that grows beyond a limit is killed, as the kernel's out-of-memory killer or a
container's limit does it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_size

__all__ = ["MemoryLimit"]

LOOK_EVERY_S = 0.05


class MemoryLimit:
    """SIGKILL for the first process of a worker whose resident memory exceeds `limit`, such as "300MB". Once
    triggered it waits for one."""

    kind = "memory"
    lasting = False

    def __init__(self, limit: str) -> None:
        try:
            self._limit_bytes = parse_size(limit)
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: limit: {error}") from None
        self._look_at_ns = 0

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Kill the one that is over; none, as long as none is. The look is taken every 50 ms."""
        if now_ns() < self._look_at_ns:
            return ()
        self._look_at_ns = deadline_ns(LOOK_EVERY_S)
        for worker in scene.workers():
            for process in (*scene.children(worker.worker), worker):
                if scene.memory_bytes(process) > self._limit_bytes:
                    scene.signal(process, signal.SIGKILL)
                    return (process,)
        return ()

    def undo(self, scene: Scene) -> None:
        """Nothing: a replacement is started."""
