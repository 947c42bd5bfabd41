"""A pair of queue and broker that does not exist is refused before anything starts, with those that do."""

from pathlib import Path

import pytest

from jobharness.catalog import BROKERS, QUEUES, assemble, queue_kind
from jobharness.errors import ScenarioInvalid
from jobharness.scenario.model import Scenario


def scenario(adapter, broker):
    return Scenario.model_validate(
        {
            "title": "a pair",
            "queue": {"adapter": adapter, "app": "shop:app"},
            "broker": {"kind": broker},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "charge"}]},
        }
    )


def test_pair_that_does_not_exist_names_those_that_do():
    with pytest.raises(ScenarioInvalid, match="celery does not run on 'postgres' here; it runs on: redis, rabbitmq, sqlite"):
        assemble(scenario("celery", "postgres"), Path())


@pytest.mark.parametrize("name", QUEUES)
def test_adapter_runs_on_kinds_of_broker_that_there_are(name):
    assert set(queue_kind(name).brokers) <= set(BROKERS)
