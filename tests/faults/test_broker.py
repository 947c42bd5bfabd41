"""Each fault of the broker, on Celery: what it did is in the history, what came of it, and that the broker came back."""

import pytest

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Word
from jobharness.errors import ScenarioInvalid
from jobharness.history.event import Kind
from tests.support.evidence import kinds_of, open_ns, rows

pytestmark = pytest.mark.real


def received_ns(history):
    return [row["time_ns"] for row in rows(history, Kind.JOB_RECEIVED)]


def enqueues_during(history, *kinds):
    """The outcomes of these kinds of enqueues that were under way while the fault was open, as `[(took in s, text)]`."""
    begin, end = open_ns(history)
    begun = {row["job"]: row["time_ns"] for row in rows(history, Kind.ENQUEUE_BEGIN)}
    return [
        ((row["time_ns"] - begun[row["job"]]) / NS_PER_S, history.text(row["text"]))
        for row in rows(history, *kinds)
        if begun[row["job"]] < end and row["time_ns"] > begin
    ]


def test_killed_broker_is_back_on_its_data_and_every_accepted_job_is_done(run):
    result = run("broker_killed")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    begin, end = open_ns(result.history)
    assert end - begin >= NS_PER_S
    # While it was down nobody took a job, and what the producer sent was refused by the kernel.
    assert not [moment for moment in received_ns(result.history) if begin + NS_PER_S // 10 < moment < begin + NS_PER_S]
    assert any("Connection refused" in text for _, text in enqueues_during(result.history, Kind.ENQUEUE_UNKNOWN))
    assert [moment for moment in received_ns(result.history) if moment > end]
    (hit, *_) = rows(result.history, Kind.FAULT_HIT)
    assert hit["value"] > 0 and hit["job"] is not None  # The process id of the server that was killed.


def test_restarted_broker_has_its_data_and_nothing_is_lost(run):
    result = run("broker_restarted")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    begin, end = open_ns(result.history)
    assert end - begin < 5 * NS_PER_S and [moment for moment in received_ns(result.history) if moment > end]


def test_broker_that_comes_back_empty_has_lost_what_waited(run):
    result = run("broker_comes_back_empty")
    lost = result.verdict["at_least_once"]
    _, end = open_ns(result.history)
    assert lost.word is Word.BROKEN and lost.counts["lost"] >= 3
    acknowledged = {row["job"]: row["time_ns"] for row in rows(result.history, Kind.ENQUEUE_ACKNOWLEDGED)}
    assert all(acknowledged[job] < end and Kind.JOB_FINISHED not in kinds_of(result.history, job) for job in lost.jobs)
    # What was accepted afterwards is done.
    assert [moment for moment in received_ns(result.history) if moment > end]


def test_hanging_broker_makes_enqueues_wait_and_loses_nothing(run):
    result = run("broker_paused")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    took = [took_s for took_s, _ in enqueues_during(result.history, Kind.ENQUEUE_ACKNOWLEDGED)]
    assert max(took) >= 0.8


def test_refused_connections_keep_workers_out_until_they_are_let_in(run):
    result = run("broker_refuses")
    begin, end = open_ns(result.history)
    assert not [moment for moment in received_ns(result.history) if begin + NS_PER_S // 10 < moment < end]
    names = result.history.processes["name"]
    assert {names[row["process"]] for row in rows(result.history, Kind.FAULT_HIT)} >= {"worker-1", "worker-2", "producer"}
    assert any("Connection refused" in text for _, text in enqueues_during(result.history, Kind.ENQUEUE_UNKNOWN))


def test_full_broker_refuses_what_is_enqueued_and_takes_it_again_afterwards(run):
    result = run("broker_full")
    assert result.verdict["observed"].word is Word.HOLDS
    refused = enqueues_during(result.history, Kind.ENQUEUE_UNKNOWN)
    assert any("used memory > 'maxmemory'" in text for _, text in refused)
    last_refusal = max(row["time_ns"] for row in rows(result.history, Kind.ENQUEUE_UNKNOWN))
    assert [row for row in rows(result.history, Kind.ENQUEUE_ACKNOWLEDGED) if row["time_ns"] > last_refusal]


def test_worker_that_comes_back_is_let_in_when_there_are_connections_again(run):
    result = run("connection_limit")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    limit = result.history.number_of("no connection left")
    (begin,) = (row["time_ns"] for row in rows(result.history, Kind.FAULT_BEGIN) if row["text"] == limit)
    ready = [row["time_ns"] for row in rows(result.history, Kind.WORKER_READY)]
    (again,) = (moment for moment in ready if moment > begin)
    assert again - begin >= 2 * NS_PER_S  # A replacement is ready within a second otherwise.


def test_worker_whose_sessions_were_ended_runs_its_job_again_and_the_other_notices_nothing(run):
    result = run("sessions_ended")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    (job,) = {row["job"] for row in rows(result.history, Kind.FAULT_HIT)}
    assert kinds_of(result.history, job).count(Kind.JOB_RUNNING) == 2
    runs = [kinds_of(result.history, one).count(Kind.JOB_RUNNING) for one in range(result.history.jobs.height) if one != job]
    assert set(runs) == {1}


@pytest.mark.parametrize("name", ["broker_killed", "broker_restarted", "broker_paused", "broker_full", "connection_limit"])
def test_broker_of_others_is_refused_before_anything_starts(run, name):
    with pytest.raises(ScenarioInvalid, match=r"was given by URL: others may use it\. Leave broker\.url out"):
        run(name, broker__url="redis://127.0.0.1:6379/0")


@pytest.mark.parametrize(
    ("name", "broker", "able"),
    [
        ("broker_comes_back_empty", "sqlite", "nats, rabbitmq, redis"),
        ("broker_full", "sqlite", "nats, postgres, rabbitmq, redis"),
        ("sessions_ended", "sqlite", "postgres, rabbitmq, redis"),
    ],
)
def test_broker_without_such_a_thing_is_refused_with_those_that_have_it(run, name, broker, able):
    with pytest.raises(ScenarioInvalid, match=rf"is not for the broker '{broker}'; it works on: {able}"):
        run(name, broker__kind=broker)
