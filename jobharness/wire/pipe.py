"""One direction of one connection: what it is given leaves it now, later, in part, or never.

    bytes -> (each disturbance says when they may leave, or that they never do) -> queue in order of leaving -> socket

Order is kept: nothing leaves before what came earlier.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

__all__ = ["NEVER", "STUCK", "Disturbance", "Pipe"]

STUCK = float("inf")
"""Leaves when the disturbance is lifted, and not before."""
NEVER = -1.0
"""Is gone."""
HOLD_AT_MOST = 1 << 20  # Bytes kept back before the sender is no longer read, as a full socket buffer would make it wait.


class Disturbance(Protocol):
    """What a pipe asks about each piece."""

    def leaves(self, now_s: float, size_bytes: int) -> float:
        """When a piece that could leave at `now_s` leaves; STUCK or NEVER."""
        ...


class Pipe:
    """`write` delivers; `throttle(True)` asks for the source not to be read for now."""

    __slots__ = (
        "_finish",
        "_held_bytes",
        "_last_s",
        "_loop",
        "_queue",
        "_throttle",
        "_throttled",
        "_timer",
        "disturbances",
        "write",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, write: Callable[[bytes], None], throttle: Callable[[bool], None]) -> None:
        self._loop, self.write, self._throttle = loop, write, throttle
        self.disturbances: list[Disturbance] = []
        self._queue: deque[tuple[float, bytes]] = deque()
        self._held_bytes, self._last_s = 0, 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._throttled = False
        self._finish: Callable[[], None] | None = None

    @property
    def idle(self) -> bool:
        """Whether bytes may go straight to `write`."""
        return not self.disturbances and not self._queue

    def send(self, data: bytes) -> bool:
        """Give it bytes. False when they are gone for good."""
        if self.idle:
            self.write(data)
            return True
        leaves_s = self._leaves(len(data))
        if leaves_s == NEVER:
            return False
        self._queue.append((leaves_s, data))
        self._held_bytes += len(data)
        if self._held_bytes > HOLD_AT_MOST and not self._throttled:
            self._throttled = True
            self._throttle(True)
        self._wake()
        return True

    def _leaves(self, size_bytes: int) -> float:
        leaves_s = self._loop.time()
        for disturbance in self.disturbances:
            leaves_s = disturbance.leaves(leaves_s, size_bytes)
            if leaves_s in (NEVER, STUCK):
                return leaves_s
        self._last_s = max(leaves_s, self._last_s)
        return self._last_s

    def disturb(self, disturbance: Disturbance) -> None:
        """Lay a disturbance over what comes from now on."""
        self.disturbances.append(disturbance)

    def calm(self, disturbance: Disturbance) -> None:
        """Lift a disturbance; what it held goes on. Safe to call twice."""
        if disturbance in self.disturbances:
            self.disturbances.remove(disturbance)
            if not self.disturbances:
                self._last_s = 0.0
            stuck, self._queue = self._queue, deque()
            for leaves_s, data in stuck:
                again_s = self._leaves(len(data)) if leaves_s == STUCK or not self.disturbances else leaves_s
                if again_s != NEVER:
                    self._queue.append((again_s, data))
            self._held_bytes = sum(len(data) for _, data in self._queue)
            self._wake()

    def finish(self, then: Callable[[], None]) -> None:
        """Call `then` when everything that was given before has left."""
        self._finish = then
        self._wake()

    def drop(self) -> None:
        """Forget all that is held, and finish no more."""
        self._queue.clear()
        self._finish = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        now_s = self._loop.time()
        while self._queue and self._queue[0][0] <= now_s:
            _, data = self._queue.popleft()
            self._held_bytes -= len(data)
            self.write(data)
        if self._throttled and self._held_bytes <= HOLD_AT_MOST // 2:
            self._throttled = False
            self._throttle(False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and self._queue[0][0] != STUCK:
            self._timer = self._loop.call_at(self._queue[0][0], self._wake)
        elif not self._queue and self._finish is not None:
            finish, self._finish = self._finish, None
            finish()
