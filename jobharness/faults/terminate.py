"""Terminate: SIGTERM, and SIGKILL when the grace period is over, as Kubernetes and systemd stop a process."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target, aim, checked_target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration

__all__ = ["Terminate"]


class Terminate:
    """SIGTERM for the target; what still runs after `grace` is killed with all its pool. Targets as for `kill`."""

    kind = "terminate"
    lasting = False

    def __init__(self, target: str = "worker", grace: str = "30s") -> None:
        self._target = checked_target(self.kind, target)
        try:
            self._grace_s = float(parse_duration(grace))
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: grace: {error}") from error
        self._waiting: list[tuple[int, Target]] = []

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Ask the processes to stop; none where no worker is ready, or the one meant is gone."""
        victims = aim(scene, self._target, news)
        for victim in victims:
            scene.signal(victim, signal.SIGTERM)
            self._waiting.append((deadline_ns(self._grace_s), victim))
        return victims

    def work(self, scene: Scene) -> bool:
        """Kill what has outstayed its grace; over when all are gone."""
        self._waiting = [(limit_ns, victim) for limit_ns, victim in self._waiting if scene.alive(victim)]
        for limit_ns, victim in self._waiting:
            if now_ns() > limit_ns:
                for process in (*(() if victim.child else scene.children(victim.worker)), victim):
                    scene.signal(process, signal.SIGKILL)
        return not self._waiting

    def undo(self, scene: Scene) -> None:
        """Nothing: the replacement starts when the worker has ended."""
