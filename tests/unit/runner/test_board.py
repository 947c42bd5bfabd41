"""The live picture of a run: what is enqueued, in flight and done."""

import pytest

from jobharness.history.event import Dead, Kind
from jobharness.history.follow import News
from jobharness.runner.board import Board

A, B = b"a" * 16, b"b" * 16


def news(kind, key=A, name="worker-1", process=11, time_ns=1, value=0):
    return News(time_ns, kind, key, value, 1, process, "charge", "", name, "worker")


@pytest.fixture
def board():
    return Board()


def test_job_is_unsettled_from_its_acknowledgement_to_its_completion(board):
    board.see([news(Kind.ENQUEUE_BEGIN, name="producer")])
    assert (board.begun, board.unsettled) == (1, 0)
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED, name="producer")])
    assert (board.acknowledged, board.unsettled) == (1, 1)
    board.see([news(Kind.JOB_RUNNING), news(Kind.JOB_FINISHED)])
    assert (board.finished, board.unsettled) == (1, 0)


def test_job_that_finishes_before_its_acknowledgement_is_read_is_settled(board):
    board.see([news(Kind.JOB_FINISHED), news(Kind.ENQUEUE_ACKNOWLEDGED, name="producer")])
    assert board.unsettled == 0


@pytest.mark.parametrize(
    ("reason", "unsettled"), [(Dead.RAISED, 0), (Dead.TIMED_OUT, 0), (Dead.REVOKED, 0), (Dead.WORKER_LOST, 1)]
)
def test_job_given_up_is_settled_unless_only_its_worker_died(board, reason, unsettled):
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED), news(Kind.JOB_DEAD, value=int(reason))])
    assert (board.dead, board.unsettled) == (1, unsettled)


def test_second_completion_of_a_job_changes_nothing(board):
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED), news(Kind.JOB_FINISHED), news(Kind.JOB_FINISHED, name="worker-2")])
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED, key=B)])
    assert board.unsettled == 1


def test_job_is_in_flight_from_its_receipt_and_runs_in_one_process(board):
    board.see([news(Kind.JOB_RECEIVED, process=10), news(Kind.JOB_RECEIVED, B, process=10), news(Kind.JOB_RUNNING, process=11)])
    assert board.in_flight("worker-1") == [A, B]
    assert board.in_flight("worker-1", 11) == [A]
    assert board.in_flight("worker-1", 12) == board.in_flight("worker-2") == []
    assert board.in_flight("") == [A, B]
    assert board.running == 1


@pytest.mark.parametrize("end", [Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT, Kind.JOB_DEAD, Kind.JOB_REJECTED])
def test_job_leaves_flight_when_its_execution_ends(board, end):
    board.see([news(Kind.JOB_RECEIVED), news(Kind.JOB_RUNNING), news(end)])
    assert board.in_flight("worker-1") == [] and board.running == 0


def test_receipt_that_is_read_after_the_start_does_not_undo_it(board):
    """Main process and pool child write to files of their own."""
    board.see([news(Kind.JOB_RUNNING, process=11), news(Kind.JOB_RECEIVED, process=10)])
    assert board.in_flight("worker-1", 11) == [A]


def test_worker_that_is_gone_holds_nothing(board):
    board.see([news(Kind.JOB_RUNNING), news(Kind.JOB_RUNNING, B, name="worker-2", process=21)])
    board.forget("worker-1")
    board.forget("worker-9")
    assert board.in_flight("worker-1") == [] and board.in_flight("worker-2") == [B] and board.running == 1


def test_a_schedule_that_goes_on_is_no_progress(board):
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED, time_ns=5, name="producer"), news(Kind.JOB_RECEIVED, time_ns=7)])
    board.see(
        [
            news(Kind.JOB_RECEIVED, B, time_ns=20),
            news(Kind.SCHEDULE_TICK, B, time_ns=18),
            news(Kind.ENQUEUE_ACKNOWLEDGED, B, time_ns=19),
        ]
    )
    board.see([news(Kind.JOB_FINISHED, B, time_ns=30)])
    assert board.last_progress_ns == 7
    assert board.unsettled == 1


def test_progress_is_when_something_last_moved_and_a_retry_counts_from_its_delay(board):
    board.see([news(Kind.JOB_RECEIVED, time_ns=5), news(Kind.ENQUEUE_BEGIN, time_ns=99), news(Kind.JOB_RUNNING, time_ns=7)])
    assert board.last_progress_ns == 7
    board.see([news(Kind.JOB_RETRIED, time_ns=8, value=1000)])
    assert board.last_progress_ns == 1008
    board.see([news(Kind.ENQUEUE_ACKNOWLEDGED, time_ns=50)])
    assert board.last_progress_ns == 1008


def test_producer_says_when_it_is_ready_and_done(board):
    assert not board.producer_ready and not board.producer_done
    board.see([news(Kind.PRODUCER_READY, name="producer")])
    assert board.producer_ready and not board.producer_done
    board.see([news(Kind.PRODUCER_DONE, name="producer")])
    assert board.producer_done


def test_memory_does_not_grow_with_jobs_that_are_done(board):
    for number in range(1000):
        key = number.to_bytes(16, "big")
        kinds = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED)
        board.see(news(kind, key) for kind in kinds)
    assert board.finished == 1000 and not board._open and not any(board._flight.values())
