"""What a load test refuses before anything is started, in words."""

import importlib.util
import socket
from pathlib import Path

import pytest

from jobharness.cli.load import LoadWish
from jobharness.errors import CannotListen, ExtraMissing, InvalidRequest, ScenarioInvalid
from jobharness.harness import Harness
from jobharness.processes.ports import free_port
from jobharness.scenario.load import load_scenario
from jobharness.staging.join import Join
from jobharness.staging.load import Locust
from jobharness.staging.master import DistributedLocust
from jobharness.staging.reception import Awaited

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


def test_load_on_several_machines_is_checked_before_anything_is_started(scenario):
    DistributedLocust(2, port=free_port()).check(scenario)


@pytest.mark.parametrize(
    ("options", "changes", "seen"),
    [
        ({"nodes_expected": 0}, {}, "--expect-workers must be at least 1, not 0"),
        ({"users": 2}, {}, r"--users must be at least --expect-workers \(4\)"),
        ({"host": "0.0.0.0"}, {}, '--bind 0.0.0.0 lets other machines take part; declare environment = "staging"'),
        ({"host": "0.0.0.0"}, {"environment": "staging"}, "where they do not reach it; give its address"),
        ({"host": "192.0.2.1"}, {}, "--bind: 192.0.2.1 is not on this machine"),
        ({}, {"control": True}, "control = true makes two runs, and the nodes join one"),
    ],
)
def test_master_that_nobody_could_or_should_join_is_refused(scenario, options, changes, seen):
    with pytest.raises(InvalidRequest, match=seen):
        DistributedLocust(**{"nodes_expected": 4, "port": free_port(), **options}).check(scenario.with_(**changes))


def test_port_that_is_taken_is_told(scenario):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            DistributedLocust(1, port=port).check(scenario)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"master": True}, "--master needs --expect-workers N"),
        ({"master": True, "expect_workers": 2, "workers": 3}, "and --workers starts them here; leave it out"),
        ({"master": True, "expect_workers": 2, "bind": "5557"}, "--bind: '5557' is not HOST:PORT, such as 10.0.0.5:5557"),
        ({"expect_workers": 2}, "--expect-workers goes with --master"),
    ],
)
def test_options_that_do_not_go_together_are_refused(given, seen):
    with pytest.raises(InvalidRequest, match=seen):
        wish(**given).producers()


def test_master_is_named_in_the_command_that_repeats_it():
    command = wish(master=True, expect_workers=2, rate="5/s").command()
    assert " ".join(command) == "jobharness load --master --rate 5/s --bind 127.0.0.1:5557 --expect-workers 2"


@pytest.mark.parametrize(
    ("host", "seen"),
    [("192.0.2.1", "--join: 192.0.2.1 is not on this machine"), ("prod.localhost", "--join: prod.localhost")],
)
def test_master_elsewhere_is_joined_only_where_the_scenario_allows_it(host, seen):
    with pytest.raises(InvalidRequest, match=seen):
        Join(CHECKOUT, host, 5557).become_worker()


def awaited(**given):
    return Awaited(
        **{"of": 2, "versions": {"jobharness": "1", "Locust": "2.4"}, "queue": {"app": "shop:app"}, "env": {}, **given}
    )


HELLO = {"versions": {"jobharness": "1", "Locust": "2.4"}, "queue": {"app": "shop:app"}, "token": ""}


@pytest.mark.parametrize(
    ("given", "said", "problem"),
    [
        ({}, {}, ""),
        ({}, {"versions": {"jobharness": "1", "Locust": "2.5"}}, "it has Locust 2.5, and the master Locust 2.4; use one version"),
        ({}, {"versions": None}, "it has jobharness None, and the master jobharness 1"),
        ({}, {"queue": {"app": "other:app"}}, "queue.app of its scenario is 'other:app', and of the master's 'shop:app'"),
        ({"token": "word"}, {}, "the token is not the master's; set JOBHARNESS_SHIP_TOKEN"),
    ],
)
def test_stranger_is_told_why_it_cannot_join(given, said, problem):
    found = awaited(**given).problem_of({**HELLO, **said})
    assert found.startswith(problem) and bool(found) == bool(problem)
