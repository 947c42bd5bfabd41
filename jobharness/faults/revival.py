"""What the faults that take the broker away have in common: how it comes back."""

from __future__ import annotations

from jobharness.brokers.abilities import CanCrash, CanForget
from jobharness.clock import deadline_ns, now_ns
from jobharness.faults.fault import Scene

__all__ = ["Revival"]

LOOK_EVERY_S = 0.05


class Revival:
    """One broker on its way back. `forget`: it comes back empty."""

    def __init__(self, forget: bool) -> None:
        self._forget = forget
        self._down = self._starting = False
        self._look_at_ns = 0

    def is_down(self) -> None:
        """It was taken away."""
        self._down = True

    def begin(self, scene: Scene) -> None:
        """Start it again, if it was taken away; what has not ended yet is killed. Safe to call twice; returns at once."""
        if not self._down:
            return
        broker = scene.broker
        assert isinstance(broker, CanCrash)
        if not broker.is_gone():
            broker.kill()
        if self._forget:
            assert isinstance(broker, CanForget)
            broker.forget()
        broker.revive()
        self._down, self._starting = False, True

    def is_over(self, scene: Scene) -> bool:
        """Whether it answers, asked every 50 ms. Raises: BrokerFailed when it does not come back."""
        if self._starting and now_ns() >= self._look_at_ns:
            assert isinstance(scene.broker, CanCrash)
            self._look_at_ns = deadline_ns(LOOK_EVERY_S)
            self._starting = not scene.broker.is_back()
        return not self._starting
