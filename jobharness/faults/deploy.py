"""Deploy: a rolling restart, one worker after another, each with grace; with a new version, old and new code run side
by side meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from jobharness.clock import deadline_ns, now_ns
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration

__all__ = ["Deploy"]


class Deploy:
    """SIGTERM for each worker in turn, SIGKILL after `grace`; the next one's turn comes when the replacement is ready.

    `env`: variables laid over the app's for the replacements, such as { SHOP_VERSION = "2" }; `folder`: another working
    folder for them, with other code. Neither: a plain restart.
    """

    kind = "deploy"
    lasting = False

    def __init__(self, grace: str = "30s", env: Mapping[str, str] | None = None, folder: str | None = None) -> None:
        try:
            self._grace_s = float(parse_duration(grace))
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: grace: {error}") from None
        self._env, self._folder = dict(env or {}), folder
        self._waiting: list[str] = []
        self._stopping: Target | None = None
        self._kill_at_ns = 0

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Begin with the first worker; every worker is struck in its turn."""
        workers = scene.workers()
        if not workers:
            return ()
        scene.redeploy(self._env, self._folder)
        self._waiting = [worker.worker for worker in workers]
        return workers

    def work(self, scene: Scene) -> bool:
        """The next step, when the one before is done."""
        if self._stopping is not None:
            if scene.alive(self._stopping):
                if now_ns() > self._kill_at_ns:
                    for process in (*scene.children(self._stopping.worker), self._stopping):
                        scene.signal(process, signal.SIGKILL)
                return False
            self._stopping = None
        if not scene.whole:
            return False
        if not self._waiting:
            return True
        name = self._waiting.pop(0)
        self._stopping = next((worker for worker in scene.workers() if worker.worker == name), None)
        if self._stopping is not None:
            scene.signal(self._stopping, signal.SIGTERM)
            self._kill_at_ns = deadline_ns(self._grace_s)
        return False

    def undo(self, scene: Scene) -> None:
        """Nothing: a deploy stays."""
