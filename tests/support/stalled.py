"""procrastinate with an app that hands stalled jobs out again, as its documentation says."""

from typing import Any

from jobharness.scenario.model import Scenario
from tests.support.subjects import NEWEST

__all__ = ["retrying_stalled_jobs"]


def retrying_stalled_jobs(**tables: Any) -> Scenario:
    """A scenario with one job. `tables`: further ones of the scenario. Raises: as `Case.subject_there`."""
    return Scenario.model_validate(
        {
            "title": "procrastinate, stalled jobs retried",
            "queue": {
                "adapter": "procrastinate",
                "app": "scenarios.apps.procrastinate_shop.app",
                "python": NEWEST["procrastinate on postgres"].subject_there().queue["python"],
                "settings": {"fetch_job_polling_interval": 0.5, "update_heartbeat_interval": 0.5, "stalled_worker_timeout": 3},
                "env": {"DATABASE_URL": "{broker.url}", "PYTHONPATH": ".", "SHOP_RETRY_STALLED": "1"},
            },
            "broker": {"kind": "postgres"},
            "workload": {
                "arrivals": {"rate": "1/s"},
                "duration": "1s",
                "job": [{"task": "charge", "kwargs": {"order_id": "o-1", "amount": 3}}],
            },
            **tables,
        }
    )
