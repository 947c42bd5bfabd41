"""Of each family of faults: one that hits nothing proves nothing, and a run that is broken without it neither."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.processes.disk import may_mount
from jobharness.scenario.load import scenario_from
from tests.support.project import APP, Project
from tests.support.require import missing

pytestmark = pytest.mark.real

IDLE_S = "900ms"  # The only job has come and gone by then.
FAMILIES = {
    "process": {"kind": "kill", "at": IDLE_S},
    "deploy": {"kind": "deploy", "at": IDLE_S},
    "broker": {"kind": "broker_pause", "at": IDLE_S, "for": "100ms"},
    "network": {"kind": "latency", "by": "20ms", "at": IDLE_S},
    "step": {"kind": "delay_message", "by": "1ms", "on": "broker.step:BRPOP by=worker-1 nth=3"},
    "upstream": {"kind": "upstream", "answer": 429, "at": IDLE_S},
    "task": {"kind": "task", "action": "raise", "at": IDLE_S},
    "clock": {"kind": "clock", "jump": "1h", "at": IDLE_S},
    "disk": {"kind": "disk", "size": "32MB", "at": IDLE_S, "for": "100ms"},
}


FAILING = """

@app.task(bind=True)
def failing(self):
    raise self.retry(countdown=0, max_retries=2)
"""


@pytest.fixture
def run(tmp_path):
    """`run(faults, task)`: the result of one job of a task of a small project, with these faults."""
    project = Project(tmp_path / "project")
    project.write("tiny.py", APP + FAILING)

    def run_once(faults, task="tiny.quick", **changes):
        if any(fault["kind"] == "disk" for fault in faults) and not may_mount():
            missing("mounting a file system takes root")
        scenario = {
            "title": "One job",
            "queue": {
                "adapter": "celery",
                "app": "tiny:app",
                "pool": "solo",
                "arguments": ["--without-gossip", "--without-mingle"],
                "env": {"BROKER_URL": "{broker.url}"},
                "restart_delay": "0ms",
            },
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"process": "constant", "rate": "1/s"}, "duration": "1s", "job": [{"task": task}]},
            "contract": {"delivery": "at-least-once", "max_attempts": 2, "recovery": "1s"},
            "fault": faults,
        }
        if any(fault["kind"] == "upstream" for fault in faults):
            scenario["upstream"] = {}
        return Harness(project.folder, tmp_path / "reports").run(scenario_from(scenario, "a test"), **changes)

    return run_once


def never(fault):
    """The same at a moment, or a message, that does not come."""
    untold = {name: value for name, value in fault.items() if name != "at"}
    return {**untold, "on": "broker.step:BRPOP nth=999"} if "on" in fault else {**untold, "at": "1h"}


@pytest.mark.parametrize("family", FAMILIES)
def test_fault_that_strikes_nothing_or_never_is_vacuous_and_says_which_and_why(family, run):
    fault = FAMILIES[family]
    result = run([fault, never(fault)], workload__duration="3s" if family == "step" else "1s", seed=5)
    assert (result.verdict.word, result.exit_code) == (Word.VACUOUS, 3), result.verdict.findings
    kind = fault["kind"]
    assert result.verdict["faults_hit"].sentence == f"{kind}#1 struck while no job was in flight; {kind}#2 never fired"
    assert result.verdict["at_least_once"].word is Word.HOLDS


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_broken_without_any_fault_is_held_against_none(family, run):
    """The task is tried three times where two are promised, whether anything goes wrong or not."""
    result = run([FAMILIES[family]], task="tiny.failing", control=True)
    assert result.verdict.word is Word.UNKNOWN and result.exit_code not in (0, 1), result.verdict.findings
    control = result.verdict["control"]
    assert control.word is Word.UNKNOWN and control.sentence.startswith("broken before any fault (run ")
    assert "attempts_bounded: broken" in control.sentence
    assert result.verdict["attempts_bounded"].word is Word.UNKNOWN
