"""Which kinds of job a map or a proof is made of, and in what form they are sent."""

import pytest

from jobharness.errors import InvalidRequest, UnknownName
from jobharness.explore.preparation import sendable
from jobharness.scenario.model import Scenario

CHAIN = {"chain": [{"task": "charge"}, {"task": "ship", "options": {"immutable": True}}]}


def scenario(*jobs):
    return Scenario.model_validate(
        {
            "title": "a shop",
            "queue": {"adapter": "celery", "app": "shop:app"},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": list(jobs)},
        }
    )


def names(scenario, wanted=None, **how):
    return [job.name for job in sendable(scenario, "a crash map", wanted, **how)]


def test_chain_is_wanted_by_its_name_or_by_a_task_that_is_sent_in_no_other_way():
    made = scenario({"task": "charge"}, CHAIN)
    assert names(made, shapes=True) == ["charge", "chain of charge, ship"]
    assert names(made, "charge", shapes=True) == ["charge"]
    assert names(made, "ship", shapes=True) == names(made, "chain of charge, ship", shapes=True) == ["chain of charge, ship"]
    with pytest.raises(UnknownName, match="chain of charge, ship"):
        names(made, "bill", shapes=True)


def test_what_is_made_of_single_jobs_takes_no_chain():
    assert names(scenario({"task": "charge"}, CHAIN)) == ["charge"]
    with pytest.raises(InvalidRequest, match="sent by its `task`"):
        names(scenario(CHAIN))
