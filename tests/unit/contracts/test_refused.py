"""A contract that a queue's events cannot decide is refused when the scenario is loaded."""

import pytest

from jobharness.catalog import assemble
from jobharness.errors import ScenarioInvalid
from jobharness.scenario.load import scenario_from


def _scenario(adapter, **contract):
    return scenario_from(
        {
            "title": "t",
            "queue": {"adapter": adapter, "app": "a:app"},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "t"}]},
            "contract": contract,
        },
        "scenario.toml",
    )


def test_what_the_adapter_does_not_report_is_named_with_what_is_needed(tmp_path):
    with pytest.raises(ScenarioInvalid) as refused:
        assemble(_scenario("celery", dead_letters="kept"), tmp_path)
    assert "contract.dead_letters: celery does not report job.buried; dead_letters needs: job.buried" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_contract_about_upstream_calls_needs_an_upstream(tmp_path):
    with pytest.raises(ScenarioInvalid, match=r"the scenario has no \[upstream\]"):
        assemble(_scenario("celery", upstream_rate_limit=[{"at_most": 1, "within": "1s"}]), tmp_path)


def test_every_key_makes_its_contract(tmp_path):
    asked = _scenario(
        "celery",
        delivery="exactly-once", effect={}, max_attempts=2, backoff={"first": "1s", "cap": "1m"}, recovery="1s",
        time_limit={"soft": "1s", "slot_freed": "1s"}, rate_limit=[{"at_most": 1, "within": "1s", "per": "key"}],
        concurrency=[{"per": "key"}, {"at_most": 5}], lease=True, not_before="1ms", deadline="1s", schedule_lateness="1s",
        one_run_per_tick=True, fifo_per_key=True, priority="5%", starvation="1s", throughput={"within": "1s"}, drain="1s",
        poison={"tasks": ["t"], "max_delay": "1s"}, graceful_stop="1s", workers_stay_up=True, resources={"memory_share": "85%"},
        failures_visible=True,
    )  # fmt: skip
    names = [contract.name for contract in assemble(asked, tmp_path).contracts]
    assert names.count("concurrency_limit") == 2
    assert {"exactly_once", "exactly_once_effect", "slots_freed", "backoff", "resources", "priority"} <= set(names)
    assert len(names) == 27
    assert all(contract.promise for contract in assemble(asked, tmp_path).contracts)


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        ({"time_limit": {"grace": "1s"}}, "a time limit needs soft or hard"),
        ({"time_limit": {"soft": "2s", "hard": "1s"}}, "the soft limit is longer than the hard one"),
        ({"resources": {}}, "resources need a bound"),
        ({"rate_limit": [{"at_most": 0, "within": "1s"}]}, "at_most"),
    ],
)
def test_a_bound_that_means_nothing_is_refused(contract, words):
    with pytest.raises(ScenarioInvalid, match=words):
        _scenario("celery", **contract)
