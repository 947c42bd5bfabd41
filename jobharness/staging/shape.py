"""A Locust load shape that lasts as long as a scenario's workload. Importing this imports Locust."""

from __future__ import annotations

from pathlib import Path

from locust import LoadTestShape

from jobharness.scenario.load import load_scenario

__all__ = ["ArrivalShape"]


class ArrivalShape(LoadTestShape):
    """Keeps `--users` users from the first to the last arrival of `scenario`, and ends the test then.

    The rate of the moment is the plan's, which `ScheduledUser` keeps: a shape can but say how many users there are.
    """

    abstract = True
    use_common_options = True
    scenario: str = ""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._duration_s = load_scenario(Path(self.scenario)).workload.duration if self.scenario else 0.0

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be now, and how many a second may be started; None: the test is over."""
        options = self.runner.environment.parsed_options if self.runner is not None else None
        users = getattr(options, "num_users", None) or 1
        run_time_s: float = self.get_run_time()  # type: ignore[no-untyped-call]
        if run_time_s > self._duration_s:
            return None
        return users, float(users)
