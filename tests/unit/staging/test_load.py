"""What a load test refuses before anything is started, in words."""

import importlib.util
from pathlib import Path

import pytest

from jobharness.cli.load import LoadWish
from jobharness.errors import ExtraMissing, InvalidRequest, ScenarioInvalid
from jobharness.harness import Harness
from jobharness.scenario.load import load_scenario
from jobharness.staging.load import Locust

ROOT = Path(__file__).parents[3]
CHECKOUT = ROOT / "scenarios" / "staging" / "checkout.toml"


@pytest.fixture
def scenario():
    return load_scenario(CHECKOUT)


def wish(**given):
    asked = {"users": None, "rate": None, "run_time": None, "workers": 1, "web_port": None, "seed": None}
    return LoadWish(CHECKOUT, **{**asked, **given})


def test_what_was_not_asked_for_is_the_scenarios():
    assert wish().changes() == {}
    assert wish(rate="50", run_time="1m").changes() == {"workload__arrivals__rate": "50/s", "workload__duration": "1m"}


def test_checkout_can_be_put_under_load(scenario):
    Locust(workers=4).check(scenario)


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"workers": 0}, "--workers must be at least 1, not 0"),
        ({"users": 2, "workers": 4}, "--users"),
        ({"web_port": 99999}, "--web-port must be from 1 to 65535, not 99999"),
    ],
)
def test_workers_users_or_port_out_of_range_are_refused(scenario, options, seen):
    with pytest.raises(InvalidRequest, match=seen):
        Locust(**options).check(scenario)


def test_closed_loop_is_refused_with_what_can_be_had(scenario):
    closed = scenario.with_(workload__arrivals={"process": "closed", "jobs": 5, "in_flight": 2})
    with pytest.raises(InvalidRequest, match='"poisson" or "constant" can be'):
        Locust().check(closed)


def test_fault_that_strikes_the_producer_is_refused(scenario):
    struck = scenario.with_(fault=[{"kind": "kill", "target": "producer", "at": "1s"}])
    with pytest.raises(InvalidRequest, match="in whose place Locust is"):
        Locust().check(struck)


def test_schedule_alone_is_nothing_to_send(scenario):
    alone = scenario.with_(workload={"cron": [{"entry": "tick", "every": "1s"}], "duration": "5s"})
    with pytest.raises(InvalidRequest, match=r"no \[\[workload.job\]\]"):
        Locust().check(alone)


def test_missing_locust_is_told_with_its_command(scenario, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"pip install 'jobharness\[locust\]'"):
        Locust().check(scenario)


def test_negative_rate_is_refused():
    with pytest.raises(InvalidRequest, match="--rate must be more than 0"):
        wish(rate="-5").changes()


def test_negative_run_time_is_refused_by_its_key(tmp_path):
    with pytest.raises(ScenarioInvalid, match=r"workload.duration"):
        Harness(ROOT, tmp_path).load(CHECKOUT, Locust(), workload__duration="-5s")
