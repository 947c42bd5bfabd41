"""Each fault of the network and at a broker step, on Celery: what it did is in the history, and what came of it."""

from statistics import median

import pytest

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import Word
from jobharness.history.event import Kind
from tests.support.evidence import kinds_of, messages, nth_job, rows

pytestmark = pytest.mark.real


def enqueue_times_s(history):
    """`(in the fault, outside)`: how long enqueues took, by when they began."""
    begin, end = (rows(history, kind)[0]["time_ns"] for kind in (Kind.FAULT_BEGIN, Kind.FAULT_END))
    begun = {row["job"]: row["time_ns"] for row in rows(history, Kind.ENQUEUE_BEGIN)}
    took = [
        (begun[row["job"]], (row["time_ns"] - begun[row["job"]]) / NS_PER_S) for row in rows(history, Kind.ENQUEUE_ACKNOWLEDGED)
    ]
    inside = [took_s for at, took_s in took if begin <= at < end]
    return inside, [took_s for at, took_s in took if not begin <= at < end]


def test_latency_makes_every_enqueue_wait_and_none_fail(run):
    result = run("latency")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    inside, outside = enqueue_times_s(result.history)
    assert median(inside) >= 0.12 and median(outside) < median(inside)
    assert any("-> LPUSH" in words for words in messages(result.history, Kind.FAULT_HIT))


def test_thin_line_makes_every_enqueue_wait_for_its_bytes(run):
    result = run("bandwidth")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    inside, outside = enqueue_times_s(result.history)
    assert median(inside) >= 0.15 and median(outside) < median(inside)
    of_wire = [words for words in messages(result.history, Kind.FAULT_HIT) if words not in ("", "at-work")]
    assert of_wire and all(words.startswith("producer ") for words in of_wire)


def test_workers_survive_the_reset_of_all_their_connections(run):
    result = run("connections_reset")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    resets = [words for words in messages(result.history, Kind.FAULT_HIT) if words.endswith("reset")]
    assert len(resets) == 12


def test_answer_that_vanishes_takes_its_job_along(run):
    result = run("half_open")
    lost = result.verdict["at_least_once"]
    assert lost.word is Word.BROKEN
    hit = {row["job"]: result.history.text(row["group"]) for row in rows(result.history, Kind.FAULT_HIT)}
    assert all("worker-1" in hit[job] and "<- reply to BRPOP" in hit[job] for job in lost.jobs)


def test_partitioned_worker_runs_nothing_and_the_other_goes_on(run):
    result = run("worker_partitioned")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    begin, end = (rows(result.history, kind)[0]["time_ns"] for kind in (Kind.FAULT_BEGIN, Kind.FAULT_END))
    names = result.history.processes["name"]
    received = [names[row["process"]] for row in rows(result.history, Kind.JOB_RECEIVED) if begin < row["time_ns"] < end]
    assert received.count("worker-1") <= 1 and received.count("worker-2") >= 10


def test_broker_gives_a_job_to_a_worker_that_it_does_not_know_to_be_dead(run):
    result = run("worker_killed_unnoticed")
    finding = result.verdict["at_least_once"]
    (job,) = finding.jobs
    held = next(row for row in rows(result.history, Kind.BROKER_STEP))
    assert finding.word is Word.BROKEN and "-> BRPOP" in result.history.text(held["group"])
    # It was enqueued when the worker was dead, and was seen by nobody, its replacement included.
    begun = next(row["time_ns"] for row in rows(result.history, Kind.ENQUEUE_BEGIN) if row["job"] == job)
    assert held["time_ns"] < begun and Kind.JOB_RECEIVED not in kinds_of(result.history, job)


def test_damaged_packets_cost_time_and_nothing_else(run):
    result = run("corruption")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    inside, outside = enqueue_times_s(result.history)
    assert max(inside) >= 0.2 and median(outside) < 0.2


def test_lost_acknowledgement_of_one_job_leads_to_its_second_run(run):
    result = run("ack_lost")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    job = nth_job(result.history, 7)
    assert [row["job"] for row in rows(result.history, Kind.FAULT_HIT) if row["job"] is not None] == [job]
    assert "-> EXEC of [ZREM, HDEL]" in messages(result.history, Kind.FAULT_BEGIN)[0]
    runs = {one: kinds_of(result.history, one).count(Kind.JOB_RUNNING) for one in range(result.history.jobs.height)}
    assert runs.pop(job) == 2 and set(runs.values()) == {1}


def test_worker_whose_acknowledgement_failed_takes_no_job_any_more(run):
    result = run("ack_lost_stalls_worker")
    finding = result.verdict["at_least_once"]
    assert finding.word is Word.BROKEN and finding.counts["stuck"] == 13
    struck = rows(result.history, Kind.FAULT_BEGIN)[0]["time_ns"]
    assert not [row for row in rows(result.history, Kind.JOB_RECEIVED) if row["time_ns"] > struck]
    assert not [row for row in rows(result.history, Kind.WORKER_EXITED) if row["value"] != 0]


def test_kill_between_the_pop_and_its_note_loses_exactly_that_job(run):
    result = run("killed_after_pop")
    finding = result.verdict["at_least_once"]
    job = nth_job(result.history, 7)
    assert finding.word is Word.BROKEN and finding.counts["lost"] == 1 and finding.jobs == [job]
    (step,) = rows(result.history, Kind.BROKER_STEP)
    assert step["job"] == job and "-> EXEC of [ZADD, HSET]" in result.history.text(step["group"])
    assert [row["job"] for row in rows(result.history, Kind.FAULT_HIT)] == [job]
    assert next(row["value"] for row in rows(result.history, Kind.WORKER_EXITED)) == -9


def test_producer_that_hears_no_answer_enqueues_the_job_again(run):
    result = run("enqueue_reply_lost")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    job = nth_job(result.history, 7)
    assert "<- reply to LPUSH" in messages(result.history, Kind.FAULT_HIT)[0]
    assert kinds_of(result.history, job).count(Kind.JOB_FINISHED) == 2


def test_enqueue_that_arrives_twice_is_run_twice(run):
    result = run("enqueue_repeated")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    job = nth_job(result.history, 7)
    life = kinds_of(result.history, job)
    assert life.count(Kind.ENQUEUE_ACKNOWLEDGED) == 1 and life.count(Kind.JOB_FINISHED) == 2


def test_broker_that_hears_no_heartbeat_gives_a_running_job_to_another(run):
    result = run("heartbeats_late")
    assert result.verdict["at_least_once"].word is Word.HOLDS
    assert all("-> heartbeat" in words for words in messages(result.history, Kind.FAULT_BEGIN))
    names = result.history.processes["name"]
    running = {}
    for row in rows(result.history, Kind.JOB_RUNNING):
        running.setdefault(row["job"], []).append(names[row["process"]])
    assert any(len(workers) > 1 for workers in running.values())


def test_kill_after_the_commit_that_took_a_job_loses_it_in_sqlite(run):
    result = run("sqlite_killed_after_take")
    finding = result.verdict["at_least_once"]
    job = nth_job(result.history, 7)
    assert finding.word is Word.BROKEN and finding.jobs == [job]
    steps = rows(result.history, Kind.BROKER_STEP)
    assert {step["job"] for step in steps} == {job} and "-> COMMIT" in result.history.text(steps[0]["group"])
