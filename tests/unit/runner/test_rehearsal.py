"""The plan of a run in words."""

from pathlib import Path

import pytest

from jobharness.catalog import assemble
from jobharness.runner.rehearsal import rehearse
from jobharness.scenario.load import scenario_from

PLAIN = {
    "title": "A rehearsal",
    "seed": 3,
    "queue": {"adapter": "celery", "app": "shop:app", "workers": 2},
    "broker": {"kind": "redis"},
    "workload": {"arrivals": {"process": "constant", "rate": "5/s"}, "duration": "2s", "job": [{"task": "t"}]},
}


def words(**changes):
    return "\n".join(rehearse(assemble(scenario_from({**PLAIN, **changes}, "test"), Path.cwd())))


def test_rehearsal_counts_the_jobs_of_the_plan_and_names_the_promises():
    said = words(contract={"delivery": "at-least-once"})
    assert "10 jobs within 2 s" in said
    assert "2 x celery (shop:app)" in said
    assert "at_least_once: every acknowledged job is completed at least once" in said


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"kind": "kill", "at": "1s"}, "kill#1: kill, 1 s after the first arrival"),
        ({"kind": "kill", "every": "2s", "times": 3}, "kill#1: kill, every 2 s, at most 3 times"),
        ({"kind": "kill", "on": "job.running", "task": "t", "nth": 4}, "kill#1: kill, at job.running of t number 4"),
        ({"kind": "kill", "rate": "2/s", "name": "storm"}, "storm: kill, at random, 2 a second"),
        ({"kind": "pause", "at": "1s", "for": "3s"}, "pause#1: pause, 1 s after the first arrival, for 3 s"),
        ({"kind": "pause", "at": "1s"}, "to the end of the workload"),
        ({"kind": "kill", "at": "1s", "delay": "50ms"}, "and 0.05 s more"),
        ({"kind": "kill", "on": "job.running", "probability": 0.5}, "with probability 0.5"),
    ],
)
def test_each_fault_is_said_with_its_trigger(fault, sentence):
    assert sentence in words(fault=[fault])
