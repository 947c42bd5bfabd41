"""What a worker holds and has not acknowledged is still the broker's: such a job is stuck, and not lost."""

from pathlib import Path

import pytest

from jobharness import Scenario
from jobharness.harness import Harness

PROJECT = Path(__file__).parents[2]
APP = "scenarios.apps.conformance.celery"

pytestmark = pytest.mark.real


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_job_that_its_worker_holds_for_an_hour_is_stuck(broker, tmp_path):
    """An AMQP broker cannot list it while the worker lives; it can when the worker has gone."""
    scenario = Scenario.model_validate(
        {
            "title": "held",
            "queue": {"adapter": "celery", "app": f"{APP}:app", "pool": "solo", "env": {"BROKER_URL": "{broker.url}"}},
            "broker": {"kind": broker},
            "workload": {
                "arrivals": {"process": "constant", "rate": "10/s"},
                "duration": "300ms",
                "job": [{"task": f"{APP}.succeed", "args": [1], "options": {"countdown": 3600}}],
            },
            "contract": {"delivery": "at-least-once"},
            "drain": {"quiet": "1s"},
        }
    )
    result = Harness(PROJECT, reports=tmp_path).run(scenario)
    counts = result.verdict["at_least_once"].counts
    assert (counts["acknowledged"], counts["stuck"], counts["lost"]) == (3, 3, 0)
