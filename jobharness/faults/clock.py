"""Clock: the time of day of a worker jumps, or drifts, while its monotonic clock goes on as a machine's does."""

from __future__ import annotations

from collections.abc import Sequence

from jobharness.clock import NS_PER_S, deadline_ns, now_ns
from jobharness.errors import InvalidRequest
from jobharness.faults.fault import CLOCKS, Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration

__all__ = ["MovedClock"]

MOVES_EVERY_S = 0.02


class MovedClock:
    """The clock of a worker, or of all, is put forward by `jump`, such as "1h", or back ("-5m"); or it drifts: with `drift`
    0.1 it gains a tenth of a second each second, with -0.1 it loses it. Put right at the fault's end, which is a jump too.

    `target`: "worker" (the one that the trigger's event came from, else any), "all", or a worker's name. `through`:
    "freezegun" inside Python, or "libfaketime", for any process and without freezegun's marks (its datetime classes).
    A worker that is replaced meanwhile has the moved clock as well.
    """

    kind = "clock"
    lasting = True
    needs = ("clocks",)

    def __init__(self, jump: str = "0s", drift: float = 0.0, target: str = "worker", through: str = "") -> None:
        back = jump.startswith("-")
        try:
            self._jump_s = parse_duration(jump.removeprefix("-")) * (-1 if back else 1)
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: jump: {error}") from None
        if not self._jump_s and not drift:
            raise InvalidRequest(f'fault {self.kind!r}: needs a jump, such as jump = "1h", or a drift, such as drift = 0.1')
        if drift <= -1:
            raise InvalidRequest(f"fault {self.kind!r}: drift is above -1, with which the clock would stand still, not {drift:g}")
        if through not in ("", *CLOCKS):
            raise InvalidRequest(f"fault {self.kind!r}: through must be one of {', '.join(CLOCKS)}, not {through!r}")
        self.through = through
        self.target, self._drift = target, drift
        moved = [f"put {'back' if back else 'forward'} by {abs(self._jump_s):g} s"] if self._jump_s else []
        moved += [f"let drift by {drift:+g} s a second"] if drift else []
        whose = (
            "every worker's clock" if target == "all" else "a worker's clock" if target == "worker" else f"the clock of {target}"
        )
        self.tells = f"{whose} was {' and '.join(moved)}, so leases and delays ran out at other times than a wait would show"
        self._moved: dict[str, int] = {}  # Worker -> since when.
        self._move_at_ns = 0

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Move the clocks; none where nobody is ready."""
        workers = scene.workers()
        if self.target not in ("worker", "all"):
            workers = [worker for worker in workers if worker.worker == self.target]
        elif self.target == "worker" and news is not None:
            workers = [worker for worker in workers if worker.worker == news.name]
        if self.target == "worker" and workers:
            workers = [scene.random.choice(list(workers))]
        if not workers:
            return ()
        assert scene.clocks is not None  # The scenario was refused otherwise.
        # "all" are those as well that are being replaced just now.
        names = scene.clocks.workers if self.target == "all" else [worker.worker for worker in workers]
        self._moved = dict.fromkeys(names, now_ns())
        self._move(scene)
        return workers

    def work(self, scene: Scene) -> bool:
        """Drift on; over when it is undone."""
        if self._drift and now_ns() >= self._move_at_ns:
            self._move_at_ns = deadline_ns(MOVES_EVERY_S)
            self._move(scene)
        return not self._drift or not self._moved

    def _move(self, scene: Scene) -> None:
        assert scene.clocks is not None  # The scenario was refused otherwise.
        for worker, since_ns in self._moved.items():
            scene.clocks.move(worker, self._jump_s + self._drift * (now_ns() - since_ns) / NS_PER_S, scene.label)

    def undo(self, scene: Scene) -> None:
        """Put the clocks right."""
        if scene.clocks is not None:
            for worker in self._moved:
                scene.clocks.move(worker, 0.0, "")
        self._moved = {}
