"""Every trigger, in one run of real workers: each fault strikes when its trigger says so, overlapping others."""

from pathlib import Path

import pytest

from jobharness.clock import NS_PER_S
from jobharness.errors import ScenarioInvalid
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.scenario.load import load_scenario
from tests.support.evidence import rows

ROOT = Path(__file__).parents[2]
POLITE = ROOT / "scenarios" / "faults" / "api_says_429_politely.toml"
CHARGE = "scenarios.apps.celery_shop.charge"

pytestmark = pytest.mark.real

TRIGGERS = {
    "moment": {"at": "500ms"},
    "period": {"every": "400ms", "times": 3},
    "rate": {"rate": "5/s", "times": 3},
    "nth": {"on": "job.running", "nth": 5, "task": CHARGE},
    "worker": {"on": "job.finished", "worker": "worker-2"},
    "step": {"on": "broker.step:take by=worker-1 job=any"},
    "request": {"on": "upstream.request:POST /messages", "nth": 2},
    "after": {"after": "moment", "delay": "200ms"},
    "chance": {"on": "job.received", "probability": 0.5, "times": 3},
}


def scenario(triggers, **changes):
    """A harmless fault for each trigger, by its name."""
    fault = [{"kind": "latency", "by": "1ms", "for": "100ms", "name": name, **trigger} for name, trigger in triggers.items()]
    jobs = [
        {"task": CHARGE, "kwargs": {"order_id": "{faker.uuid4}", "amount": "{faker.pyint}"}},
        {"task": "scenarios.apps.celery_shop.send_receipt", "kwargs": {"order_id": "{faker.uuid4}", "email": "{faker.email}"}},
    ]
    env = {"CELERY_BROKER_URL": "{broker.url}", "SHOP_MAIL_URL": "{upstream.url}", "SHOP_DATABASE": "{run.folder}/shop.sqlite3"}
    plain = {"workload__job": jobs, "fault": fault, "queue__workers": 2, "queue__env": env, "workload__duration": "3s"}
    return load_scenario(POLITE).with_(**{**plain, **changes})


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    return Harness(ROOT, tmp_path_factory.mktemp("reports")).run(scenario(TRIGGERS)).history


@pytest.fixture(scope="module")
def begins(history):
    """The moments of each fault's strikes, ns, by its name."""
    found = {name: [] for name in TRIGGERS}
    for row in rows(history, Kind.FAULT_BEGIN):
        found[history.text(row["text"])].append(row["time_ns"])
    return found


def moments(history, kind, task="", worker=""):
    names = history.processes["name"]
    return [
        row["time_ns"]
        for row in rows(history, kind)
        if task in ("", history.text(row["task"])) and worker in ("", names[row["process"]])
    ]


def start_ns(history):
    return next(row["time_ns"] for row in rows(history, Kind.RUN_PHASE) if history.text(row["text"]) == "workload")


def test_each_strikes_as_often_as_it_says(begins):
    assert {name: len(struck) for name, struck in begins.items()} == {name: one.get("times", 1) for name, one in TRIGGERS.items()}


def test_moments_and_periods_are_kept(history, begins):
    assert begins["moment"][0] - start_ns(history) >= 0.5 * NS_PER_S
    first, second, third = begins["period"]
    assert first - start_ns(history) >= 0.4 * NS_PER_S and second - first >= 0.4 * NS_PER_S and third - second >= 0.4 * NS_PER_S


def test_nth_event_of_a_task_and_event_of_a_worker_come_before_the_strike(history, begins):
    assert begins["nth"][0] > moments(history, Kind.JOB_RUNNING, task=CHARGE)[4]
    assert begins["worker"][0] > moments(history, Kind.JOB_FINISHED, worker="worker-2")[0]


def test_worker_is_held_at_the_broker_step_until_the_strike(history, begins):
    step = next(row for row in rows(history, Kind.BROKER_STEP) if history.text(row["text"]) == "step")
    assert history.processes["name"][step["process"]] == "worker-1" and "<- reply to BRPOP" in history.text(step["group"])
    received = next(row["time_ns"] for row in rows(history, Kind.JOB_RECEIVED) if row["job"] == step["job"])
    assert step["time_ns"] < begins["step"][0] < received


def test_request_to_the_upstream_comes_before_the_strike(history, begins):
    assert begins["request"][0] > moments(history, Kind.UPSTREAM_REQUEST, task="POST /messages")[1]


def test_other_fault_comes_first_and_the_delay_is_kept(begins):
    assert begins["after"][0] - begins["moment"][0] >= 0.2 * NS_PER_S


def test_faults_overlap_and_the_history_says_so(history):
    open_now, most = set(), 0
    for row in rows(history, Kind.FAULT_BEGIN, Kind.FAULT_END):
        name = history.text(row["text"])
        open_now.add(name) if row["kind"] == Kind.FAULT_BEGIN else open_now.discard(name)
        most = max(most, len(open_now))
    assert most >= 2 and not open_now


def test_request_without_an_upstream_is_refused_before_anything_starts(tmp_path):
    trigger = {"on": "upstream.request:POST /messages"}
    env = {"CELERY_BROKER_URL": "{broker.url}"}
    with pytest.raises(ScenarioInvalid, match=r"is about the \[upstream\], and the scenario has none"):
        Harness(ROOT, tmp_path).run(scenario({"request": trigger}, upstream=None, queue__env=env))
