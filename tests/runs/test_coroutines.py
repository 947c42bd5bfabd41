"""APScheduler in an event loop: jobs that are coroutines are seen to run, end and fail as plain ones are."""

from collections import Counter

import pytest

from jobharness.history.event import Kind
from jobharness.scenario.load import scenario_from
from tests.conformance.subjects import apscheduler
from tests.support.environments import environment, wanted
from tests.support.evidence import rows

pytestmark = pytest.mark.real


def _python(code):
    return ["python", "-c", f"import asyncio, loop_apscheduler; {code}"]


def _scenario(age, tasks, fault=(), cron=()):
    python, requirements = wanted(apscheduler, age, "sqlite")
    queue = {
        "adapter": "apscheduler",
        "python": str(environment(*requirements, python=python)),
        "app": "loop_apscheduler:scheduler",
        "command": _python("asyncio.run(loop_apscheduler.main())"),
        "setup": [_python("loop_apscheduler.set_up()")],
        "workers": 1,
        "env": {"BROKER_URL": "{broker.url}", "PYTHONPATH": "."},
    }
    jobs = [{"task": f"loop_apscheduler:{task}", "args": [1]} for task in tasks]
    workload = {"arrivals": {"process": "constant", "rate": "10/s"}, "duration": "3s", "job": jobs, "cron": list(cron)}
    plain = {
        "title": "coroutines",
        "queue": queue,
        "broker": {"kind": "sqlite"},
        "workload": workload,
        "contract": {"delivery": "at-most-once"},
        "fault": list(fault),
    }
    return scenario_from(plain, "coroutines")


def _told_of(result, task):
    """How often each kind of event was recorded of a task by the scheduler."""
    kinds = (Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_DEAD)
    name = f"loop_apscheduler:{task}"
    told = Counter(Kind(row["kind"]) for row in rows(result.history, *kinds) if result.history.text(row["task"]) == name)
    return dict(told)


@pytest.mark.parametrize("age", ["NEWEST", "OLDEST"])
def test_coroutines_and_plain_functions_are_seen_to_run(age, run):
    result = run(_scenario(age, ["work", "plain", "fail"], cron=[{"entry": "loop_apscheduler:tidy_up", "every": "2s"}]))
    result.expect.verdict("holds")
    for task in ("work", "plain"):
        told = _told_of(result, task)
        assert told[Kind.JOB_RUNNING] > 0
        assert told == dict.fromkeys((Kind.JOB_RUNNING, Kind.JOB_FINISHED), told[Kind.JOB_RUNNING])
    told = _told_of(result, "fail")
    assert told[Kind.JOB_RUNNING] > 0
    assert told == dict.fromkeys((Kind.JOB_RUNNING, Kind.JOB_FAILED, Kind.JOB_DEAD), told[Kind.JOB_RUNNING])
    assert _told_of(result, "tidy_up")[Kind.JOB_FINISHED] >= 1
    assert not _told_of(result, "look_again")  # The app's own business: it is in no job store that others see.


@pytest.mark.parametrize("age", ["NEWEST", "OLDEST"])
def test_a_coroutine_is_made_to_fail(age, run):
    fault = {"kind": "task", "action": "raise", "at": "0s", "hits": 2}
    result = run(_scenario(age, ["work"], fault=[fault]))
    told = _told_of(result, "work")
    assert told[Kind.JOB_FAILED] == 2
    assert told[Kind.JOB_FINISHED] == told[Kind.JOB_RUNNING] - 2
