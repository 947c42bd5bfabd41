"""Faults of the processes beside the workers: the producer and the scheduler, on Celery."""

import pytest

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Word
from jobharness.errors import ScenarioInvalid
from jobharness.history.event import AT_WORK, Kind
from tests.support.evidence import rows
from tests.support.subjects import NEWEST

pytestmark = pytest.mark.real


def lives(history, name):
    """`(pids, codes)` of the lives of a process by its name."""
    text = history.number_of(name)
    return tuple(
        [row["value"] for row in rows(history, kind) if row["text"] == text]
        for kind in (Kind.PROCESS_STARTED, Kind.PROCESS_EXITED)
    )


def test_killed_producer_goes_on_with_its_plan_and_sends_nothing_twice(run):
    result = run("producer_killed")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    history = result.history
    pids, codes = lives(history, "producer")
    assert len(set(pids)) == 2 and codes == [-9]
    (hit,) = rows(history, Kind.FAULT_HIT)
    assert hit["value"] == pids[0] and (hit["job"] is not None or history.text(hit["group"]) == AT_WORK)
    # Of sixty jobs at most the one whose send was under way was never begun, and none was planned twice.
    begun = [row["value"] for row in rows(history, Kind.ENQUEUE_BEGIN)]
    assert len(begun) in (59, 60) and len(set(begun)) == len(begun)
    acknowledged = {row["job"] for row in rows(history, Kind.ENQUEUE_ACKNOWLEDGED)}
    assert len(begun) - len(acknowledged) <= 1
    assert [row["value"] for row in rows(history, Kind.PRODUCER_DONE)] == [60]


def told_of_kill(history):
    """When the one scheduler was killed, when the next was started, and every tick."""
    pids, codes = lives(history, "scheduler-1")
    assert len(set(pids)) == 2 and codes == [-9]
    (begin,) = (row["time_ns"] for row in rows(history, Kind.FAULT_BEGIN))
    return begin, rows(history, Kind.PROCESS_STARTED)[-1]["time_ns"], rows(history, Kind.SCHEDULE_TICK)


def test_killed_scheduler_is_started_again_and_ticks_go_on(run):
    result = run("scheduler_killed")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    begin, again, told = told_of_kill(result.history)
    ticks = [row["time_ns"] for row in told]
    assert len([tick for tick in ticks if tick < begin]) >= 2 and [tick for tick in ticks if tick > again]
    assert not [tick for tick in ticks if begin + NS_PER_S // 10 < tick < again]


@pytest.mark.parametrize("subject", ["rq on redis", "taskiq on redis"])
def test_killed_scheduler_of_another_library_is_started_again_and_ticks_go_on(subject, run):
    result = run(f"{subject.split()[0]}_scheduler_killed", queue__python=NEWEST[subject].subject_there().queue["python"])
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    history = result.history
    begin, again, ticks = told_of_kill(history)
    moments = [row["time_ns"] for row in ticks]
    assert len([tick for tick in moments if tick < begin]) >= 2 and [tick for tick in moments if tick > again]
    assert {history.text(row["text"]).rpartition(".")[2].rpartition(":")[2] for row in ticks} == {"close_till"}
    assert {row["value"] for row in ticks} == {NS_PER_S}
    # Each tick's job is known from its begin to its end.
    known = {kind: {row["job"] for row in rows(history, kind)} for kind in (Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_FINISHED)}
    assert {row["job"] for row in ticks} <= known[Kind.ENQUEUE_ACKNOWLEDGED] & known[Kind.JOB_FINISHED]


@pytest.mark.parametrize(("count", "word"), [(1, Word.HOLDS), (2, Word.BROKEN)])
@pytest.mark.parametrize("subject", ["rq on redis", "taskiq on redis"])
def test_ticks_of_another_librarys_scheduler_are_judged(subject, count, word, run):
    changes = {"fault": [], "contract__one_run_per_tick": True, "queue__scheduler__count": count}
    python = NEWEST[subject].subject_there().queue["python"]
    finding = run(f"{subject.split()[0]}_scheduler_killed", queue__python=python, **changes).verdict["one_run_per_tick"]
    assert finding.word is word, finding.sentence
    assert finding.counts["ticks"] >= 3 * count


def test_two_schedulers_send_every_tick_twice(run):
    result = run("two_schedulers")
    finding = result.verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN
    names = result.history.processes["name"]
    senders = {names[row["process"]] for row in rows(result.history, Kind.SCHEDULE_TICK)}
    assert senders == {"scheduler-1", "scheduler-2"}


def test_one_scheduler_keeps_what_two_break(run):
    result = run("two_schedulers", queue__scheduler__count=1, known_gap=None)
    assert result.verdict["one_run_per_tick"].word is Word.HOLDS, result.verdict.findings


def test_scheduler_that_is_not_there_is_refused(run):
    fault = [{"kind": "kill", "target": "scheduler", "at": "1s"}]
    with pytest.raises(ScenarioInvalid, match=r"the scenario has no scheduler; add \[queue.scheduler\]"):
        run("producer_killed", fault=fault)


def test_library_whose_workers_send_the_ticks_needs_no_scheduler(run):
    with pytest.raises(
        ScenarioInvalid,
        match=r"huey has no scheduler that always starts by the same command: where its workers send the periodic jobs, leave this out",
    ):
        run("huey_take_unanswered", queue__scheduler={"count": 1})
