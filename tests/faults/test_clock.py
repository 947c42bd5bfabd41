"""Clocks that are moved: what the workers see is another time, and what the history says stays true."""

from pathlib import Path

import pytest

from jobharness.clock import NS_PER_S, now_ns
from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.scenario.load import load_scenario

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


def rows(history, *kinds):
    return list(history.of(*kinds).collect().iter_rows(named=True))


@pytest.fixture(scope="module", params=["freezegun", "libfaketime"])
def passed(request, tmp_path_factory):
    """`(way, result, when it began, when it ended)` of the scenario in which a lease of an hour runs out."""
    scenario = load_scenario(ROOT / "scenarios/faults/lease_passed_by_clock.toml")
    plain = scenario.model_dump(mode="json", exclude_unset=True, by_alias=True)
    plain["fault"][1]["through"] = request.param
    began_ns = now_ns()
    result = Harness(ROOT, tmp_path_factory.mktemp("reports")).run(type(scenario).model_validate(plain))
    return request.param, result, began_ns, now_ns()


def test_lease_of_an_hour_runs_out_in_seconds_and_the_report_says_how(passed):
    _, result, _, _ = passed
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    assert "every worker's clock was put forward by 3700 s" in result.verdict["faults_hit"].sentence
    label = result.history.number_of("kill#1")
    killed = next(row["job"] for row in rows(result.history, Kind.FAULT_HIT) if row["text"] == label and row["job"] is not None)
    again = [row["time_ns"] for row in rows(result.history, Kind.JOB_RUNNING) if row["job"] == killed]
    (jump,) = [row["time_ns"] for row in rows(result.history, Kind.FAULT_BEGIN) if row["task"]]
    assert len(again) == 2 and again[0] < jump < again[1]


def test_records_have_the_times_of_the_machine_and_not_of_the_moved_clock(passed):
    _, result, began_ns, ended_ns = passed
    times = result.history.events["time_ns"]
    assert began_ns <= times.min() and times.max() <= ended_ns
    took = {row["job"]: -row["time_ns"] for row in rows(result.history, Kind.JOB_RUNNING)}
    ended = rows(result.history, Kind.JOB_FINISHED)
    assert ended and all(abs(took[row["job"]] + row["time_ns"]) < 60 * NS_PER_S for row in ended)


def test_each_worker_says_when_it_sees_the_moved_clock(passed):
    way, result, _, _ = passed
    seen = {
        result.history.processes["name"][row["process"]]: words
        for row in rows(result.history, Kind.FAULT_HIT)
        if (words := result.history.text(row["task"])).startswith("clock moved")
    }
    expected = {"worker-1", "worker-2"} if way == "freezegun" else set()  # Nothing of ours is in libfaketime.
    assert set(seen) == expected and set(seen.values()) <= {"clock moved by +3700.000 s"}


def test_worker_whose_clock_drifts_runs_delayed_jobs_too_early(tmp_path):
    result = Harness(ROOT, tmp_path).run("scenarios/faults/worker_clock_drifts.toml")
    finding = result.verdict["not_before"]
    assert finding.word is Word.BROKEN
    # The later it was sent, the further the clock had gained on the producer's.
    due = {row["job"]: row["value"] for row in rows(result.history, Kind.ENQUEUE_NOT_BEFORE)}
    early = {row["job"]: due[row["job"]] - row["time_ns"] for row in rows(result.history, Kind.JOB_RUNNING)}
    assert min(early) in early and early[max(early)] > early[min(early)] + 1.5 * NS_PER_S
