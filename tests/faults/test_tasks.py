"""Faults of tasks, in every library whose agent runs the task's function: each is done to the execution that it hit, and to no other."""

import subprocess
from pathlib import Path

import pytest

from jobharness.catalog import QUEUES, queue_kind
from jobharness.clock import NS_PER_S
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.scenario.model import Scenario
from tests.support.require import missing
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[2]
DELAY_S = 0.6
CASES = {}
for one in NEWEST.values():
    CASES.setdefault(one.subject.queue["adapter"], one)

pytestmark = pytest.mark.real


def scenario_of(subject):
    """Twenty jobs; one execution raises, one hangs for a while, one is slow, each in its turn."""
    plain = subject.scenario().model_dump(mode="json", exclude_unset=True, by_alias=True)
    wrong = [
        {"name": "raises", "action": "raise", "at": "0s"},
        {"name": "blocks", "action": "block", "at": "0.6s", "for": f"{DELAY_S}s"},
        {"name": "slow", "action": "slow", "by": f"{DELAY_S}s", "at": "1.4s"},
    ]
    return Scenario.model_validate(
        {
            **plain,
            "title": f"tasks of {subject.name} go wrong",
            "workload": {
                "arrivals": {"process": "constant", "rate": "10/s"},
                "duration": "2.5s",
                "job": [{"task": subject.jobs["succeed"].task, "args": [7]}],
            },
            "fault": [{"kind": "task", **fault} for fault in wrong],
            "contract": {"recovery": "10s"},
        }
    )


def times(history, kind):
    """When each job had an event of this kind, ns."""
    return {row["job"]: row["time_ns"] for row in history.of(kind).collect().iter_rows(named=True)}


@pytest.mark.parametrize("library", CASES)
def test_executions_go_wrong_as_ordered(library, tmp_path):
    try:
        subject = CASES[library].subject_there()
    except FileNotFoundError as error:
        missing(str(error))
    except subprocess.CalledProcessError as error:
        missing(f"the environment of {library} could not be built: {error.stdout[-500:]!r}")
    history = Harness(ROOT, tmp_path).run(scenario_of(subject)).history
    hits = {}
    for row in history.of(Kind.FAULT_HIT).collect().iter_rows(named=True):
        if history.text(row["task"]).startswith("task "):
            hits.setdefault(history.text(row["text"]), []).append(row["job"])
    assert {label: len(jobs) for label, jobs in hits.items()} == {"raises": 1, "blocks": 1, "slow": 1}
    assert len({job for jobs in hits.values() for job in jobs}) == 3
    failed = history.of(Kind.JOB_FAILED).collect()
    assert failed["job"].to_list() == hits["raises"]
    assert "ordered this execution to fail" in history.text(failed["text"][0])
    began, ended = (times(history, kind) for kind in (Kind.JOB_RUNNING, Kind.JOB_FINISHED))
    for label in ("blocks", "slow"):
        # What it held up was one execution, for as long as the order still stood when it began.
        (job,) = hits[label]
        assert ended[job] - began[job] >= DELAY_S * 0.5 * NS_PER_S, label


def test_every_library_that_says_so_is_tried():
    able = {name for name in QUEUES if getattr(queue_kind(name), "mishaps", False)}
    assert able == set(CASES) | {"django-q2"} == set(QUEUES)
