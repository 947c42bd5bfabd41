"""A Locust load shape that lasts as long as a scenario's workload. Importing this imports Locust."""

from __future__ import annotations

from pathlib import Path

from locust import LoadTestShape

from jobharness.scenario.load import load_scenario

__all__ = ["ArrivalShape"]


QUIET_S = 10.0  # Locust's workers report every 3 s.


class ArrivalShape(LoadTestShape):
    """Keeps `--users` users until the last arrival of `scenario`, and ends the test once nothing has come after it for 10 s.

    The rate of the moment is the plan's, which `ScheduledUser` keeps: a shape can but say how many users there are.
    """

    abstract = True
    use_common_options = True
    scenario: str = ""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Locust has no types there
        self._duration_s = load_scenario(Path(self.scenario)).workload.duration if self.scenario else 0.0
        self._seen, self._seen_at_s = 0, 0.0

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be now, and how many a second may be started; None: the test is over."""
        now_s: float = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust has no types there
        assert self.runner is not None
        seen = self.runner.stats.total.num_requests
        if seen != self._seen:
            self._seen, self._seen_at_s = seen, now_s
        if now_s > self._duration_s and now_s - self._seen_at_s > QUIET_S:
            return None
        users = getattr(self.runner.environment.parsed_options, "num_users", None) or 1
        return users, float(users)
