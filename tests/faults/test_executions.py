"""Executions that go wrong, each in a library where it shows: what was hit, and what became of it and of the others."""

from statistics import median

import polars as pl
import pytest

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Word
from jobharness.history.event import Kind
from tests.support.evidence import kinds_of, rows
from tests.support.subjects import NEWEST

pytestmark = pytest.mark.real


def hit(history):
    """The jobs of the executions that went wrong, by what was done to them."""
    return [row for row in rows(history, Kind.FAULT_HIT) if history.text(row["task"]).startswith("task ")]


@pytest.fixture
def run_on(run):
    """`run_on(subject, name)`: the result of a scenario whose app lives in the environment of a conformance subject."""
    return lambda subject, name: run(name, queue__python=NEWEST[subject].subject_there().queue["python"])


def begun_meanwhile(result):
    """The other executions that began while the one that was hit was held."""
    (row,) = hit(result.history)
    until = rows(result.history, Kind.FAULT_END)[0]["time_ns"]
    # What is begun in the same round of the loop was begun before.
    since = row["time_ns"] + NS_PER_S // 10
    assert since + NS_PER_S // 10 < until
    return [one for one in rows(result.history, Kind.JOB_RUNNING) if since < one["time_ns"] < until]


def test_coroutine_that_hangs_leaves_the_others_of_its_worker_alone(run_on):
    result = run_on("arq on redis", "task_hangs")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    assert begun_meanwhile(result)


def test_coroutine_that_blocks_its_loop_stops_the_whole_worker(run_on):
    result = run_on("arq on redis", "task_blocks")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    assert not begun_meanwhile(result)


def test_slow_execution_takes_as_many_times_as_long_as_ordered(run):
    result = run("task_is_slow")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    begun, ended = (
        {row["job"]: row["time_ns"] for row in rows(result.history, kind)} for kind in (Kind.JOB_RUNNING, Kind.JOB_FINISHED)
    )
    took = {job: (ended[job] - begun[job]) / NS_PER_S for job in ended}
    slow = {row["job"] for row in hit(result.history)}
    assert len(slow) == 5
    # Ten times the 50 ms that the card network takes at least.
    assert all(took[job] > 0.5 for job in slow)
    assert median(took[job] for job in took.keys() - slow) < 0.5


def test_leak_of_descriptors_is_found_by_its_growth(run):
    result = run("task_leaks_descriptors")
    finding = result.verdict["resources"]
    assert finding.word is Word.BROKEN
    (reason,) = finding.offenders["why"]
    assert reason.startswith("worker-1: ") and "descriptors per 1,000 jobs" in reason
    leaked = pl.Series([row["value"] for row in rows(result.history, Kind.RESOURCE_DESCRIPTORS)])
    assert leaked.max() - leaked.min() > len(hit(result.history))


def test_answer_that_cannot_be_stored_fails_a_job_whose_work_is_done(run):
    result = run("task_answers_unserialisable")
    (row,) = hit(result.history)
    life = kinds_of(result.history, row["job"])
    assert life.count(Kind.JOB_RUNNING) == 1 and Kind.JOB_FINISHED not in life
    assert [one["job"] for one in rows(result.history, Kind.JOB_DEAD)] == [row["job"]]
    # The charge was written down all the same.
    assert result.verdict["invariant each order is charged, also that of the failed job"].word is Word.HOLDS


def test_huge_answer_goes_the_whole_way_to_the_broker(run_on):
    result = run_on("rq on redis", "task_answers_huge")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    (row,) = hit(result.history)
    done, settled = (
        {one["job"]: one["time_ns"] for one in rows(result.history, kind)} for kind in (Kind.JOB_FINISHED, Kind.JOB_SETTLED)
    )
    storing_s = {job: (settled[job] - done[job]) / NS_PER_S for job in settled}
    # 20 MB at 10 MB a second.
    assert storing_s.pop(row["job"]) > 1.5 > median(storing_s.values())
