"""Dramatiq's own middleware, and an app's, may keep a job from running, or settle one that failed: what became of each is told as it is."""

from collections import Counter

import pytest

from jobharness.history.event import Dead, Kind
from jobharness.scenario.load import scenario_from
from tests.conformance.subjects import dramatiq
from tests.support.environments import environment, wanted
from tests.support.evidence import rows

pytestmark = pytest.mark.real

JOBS = 4
TASKS = ("skipped", "refused", "skips_itself", "fails", "nested", "plain")
SENT = {Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED}
EVENTS = {
    "skipped": {Kind.JOB_DEAD},
    "refused": {Kind.JOB_DEAD},
    "skips_itself": {Kind.JOB_RUNNING, Kind.JOB_FAILED, Kind.JOB_DEAD},
    "fails": {Kind.JOB_RUNNING, Kind.JOB_FAILED, Kind.JOB_DEAD},
    "nested": {Kind.JOB_RUNNING, Kind.JOB_FINISHED},
    "plain": {Kind.JOB_RUNNING, Kind.JOB_FINISHED},
}


@pytest.mark.parametrize("retries", [True, False], ids=["with Retries", "without Retries"])
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
@pytest.mark.parametrize("age", ["NEWEST", "OLDEST"])
def test_what_a_middleware_did_to_a_job_is_told_as_it_is(age, kind, retries, run):
    python, requirements = wanted(dramatiq, age, kind)
    env = {"BROKER_URL": "{broker.url}", "dramatiq_prom_host": "127.0.0.1", **({"RETRIES": "1"} if retries else {})}
    plain = {
        "title": "doorman",
        "queue": {
            "adapter": "dramatiq",
            "python": str(environment(*requirements, python=python)),
            "app": "doorman_dramatiq:broker",
            "concurrency": 2,
            "env": env,
        },
        "broker": {"kind": kind},
        "workload": {
            "arrivals": {"process": "constant", "rate": f"{JOBS * len(TASKS)}/s"},
            "duration": "1s",
            "job": [{"task": task, "args": [1]} for task in TASKS],
        },
        "contract": {"delivery": "at-least-once"},
    }
    result = run(scenario_from(plain, "doorman"))
    told = {task: Counter() for task in (*TASKS, "kept_back")}
    names = {row["job"]: result.history.text(row["task"]) for row in rows(result.history, Kind.JOB_RECEIVED)}
    kinds = (*SENT, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_DEAD, Kind.JOB_RECEIVED, Kind.JOB_SETTLED)
    for row in rows(result.history, *kinds):
        told[names[row["job"]]][Kind(row["kind"])] += 1
    for task, events in EVENTS.items():
        every = {*SENT, Kind.JOB_RECEIVED, *events, Kind.JOB_SETTLED}
        assert told[task] == dict.fromkeys(every, told[task][Kind.JOB_RECEIVED]), task
        assert told[task][Kind.JOB_RECEIVED] > 0
    why = {task: {row["value"] for row in rows(result.history, Kind.JOB_DEAD) if names[row["job"]] == task} for task in TASKS}
    assert why == {task: set() for task in TASKS} | {
        "skipped": {Dead.REVOKED},
        "refused": {Dead.RAISED},
        "skips_itself": {Dead.REVOKED},
        "fails": {Dead.RAISED},
    }
