"""The History as a table, and the life story of a job."""

import itertools

import pytest

from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Dead, Kind

FIRST, SECOND = "8b1a9953-c461-4296-a827-abf8c47804d7", "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def history(tmp_path):
    """One job that fails, is retried and finishes, and one whose worker dies; between them events about no job."""
    producer, worker = Recorder(tmp_path, "producer", "producer"), Recorder(tmp_path, "worker", "worker-1")
    first, second = (producer.job(job_id)[0] for job_id in (FIRST, SECOND))
    producer.record(Kind.PRODUCER_READY)
    producer.record(Kind.ENQUEUE_BEGIN, first, 1000, 0, producer.text("shop.charge"))
    producer.record(Kind.ENQUEUE_ACKNOWLEDGED, first)
    worker.record(Kind.JOB_RECEIVED, first, 0, 1, worker.text("shop.charge"))
    worker.record(Kind.JOB_RUNNING, first, 0, 1)
    worker.record(Kind.JOB_FAILED, first, 0, 1, 0, worker.text("ValueError: no"))
    worker.record(Kind.JOB_RETRIED, first, 5, 1)
    worker.record(Kind.JOB_RUNNING, first, 0, 2)
    worker.record(Kind.JOB_FINISHED, first, 0, 2)
    worker.record(Kind.JOB_SETTLED, first)
    worker.record(Kind.JOB_RUNNING, second, 0, 1)
    worker.record(Kind.JOB_DEAD, second, int(Dead.WORKER_LOST), 1)
    worker.record(Kind.JOB_DEAD, second, int(Dead.RAISED), 1)
    return log.gather(tmp_path, {})


def test_life_story_counts_from_the_enqueue_and_names_the_worker(history):
    story = history.life(0)
    assert [moment.kind.name_ for moment in story] == [
        "enqueue.begin", "enqueue.acknowledged", "job.received", "job.running", "job.failed", "job.retried",
        "job.running", "job.finished", "job.settled",
    ]  # fmt: skip
    assert story[0].since_s == 0 and all(a.since_s <= b.since_s for a, b in itertools.pairwise(story))
    assert [moment.worker for moment in story] == ["producer"] * 2 + ["worker-1"] * 7
    assert "job.failed" in str(story[4]) and str(story[4]).endswith("worker-1 attempt 1  ValueError: no")


def test_life_of_a_job_that_nobody_saw_is_empty(history):
    assert history.life(7) == []


def test_one_row_per_job_adds_up_what_happened_to_it(history):
    first, second = history.lives.to_dicts()
    counts = ("begun", "acknowledged", "received", "running", "finished", "failed", "retried", "dead", "worker_lost", "settled")
    assert [first[name] for name in counts] == [1, 1, 1, 2, 1, 1, 1, 0, 0, 1]
    assert [second[name] for name in counts] == [0, 0, 0, 1, 0, 0, 0, 2, 1, 0]
    assert first["intended_ns"] == 1000 and second["intended_ns"] is None
    assert first["running_ns"] < first["finished_ns"] == history.events.filter(kind=int(Kind.JOB_FINISHED))["time_ns"][0]


def test_jobs_and_texts_are_found_by_number(history):
    assert [history.job_id(0), history.job_id(1)] == [FIRST, SECOND]
    assert history.text(0) == "" and history.number_of("absent") is None
    assert history.text(history.number_of("shop.charge")) == "shop.charge"
    assert history.task_of(0) == "shop.charge" and history.task_of(1) == ""


def test_events_of_some_kinds_keep_their_row_numbers(history):
    rows = history.of(Kind.JOB_FINISHED, Kind.JOB_SETTLED).collect()["row"].to_list()
    assert history.events["kind"].gather(rows).to_list() == [Kind.JOB_FINISHED, Kind.JOB_SETTLED]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_named_and_described(kind):
    from jobharness.history.event import DESCRIPTIONS

    assert Kind.named(kind.name_) is kind and DESCRIPTIONS[kind]


def test_numbers_of_the_agent_are_those_of_the_history():
    from jobharness.agent import events

    numbers = {name: value for name, value in vars(events).items() if name.isupper() and not name.startswith("DEAD_")}
    assert numbers == {kind.name: kind.value for kind in Kind}
    assert {name[5:]: value for name, value in vars(events).items() if name.startswith("DEAD_")} == {
        d.name: d.value for d in Dead
    }
