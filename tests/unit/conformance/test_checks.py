"""Each check of the kit on evidence written by hand: none complains of a sound adapter, and the right one of each planted defect."""

from dataclasses import replace

import pytest

from jobharness.conformance import CHECKS, Evidence, Job, Subject
from jobharness.conformance.evidence import Snapshot
from jobharness.history.event import Kind
from jobharness.queues.queue import App, Counts, Held
from tests.histories import history

OUTCOMES = ("succeed", "fail", "retry", "give_up", "time_out", "delayed")
SUBJECT = Subject("toy on toy", {}, {}, {outcome: Job(outcome) for outcome in OUTCOMES})
REPORTS = frozenset(
    Kind.named(name)
    for name in (
        "enqueue.begin", "enqueue.acknowledged", "enqueue.not_before", "job.received", "job.running", "job.finished", "job.failed",
        "job.retried", "job.dead", "job.timed_out", "job.settled", "worker.ready",
    )
)  # fmt: skip

SOUND = """
    0.000 worker-1 worker.ready         -
    1.000 producer enqueue.begin        succeed task=succeed
    1.001 producer enqueue.acknowledged succeed task=succeed
    1.010 worker-1 job.received         succeed attempt=1 task=succeed
    1.011 worker-1 job.running          succeed attempt=1 task=succeed
    1.012 worker-1 job.finished         succeed attempt=1
    1.013 worker-1 job.settled          succeed

    1.000 producer enqueue.begin        fail task=fail
    1.001 producer enqueue.acknowledged fail task=fail
    1.010 worker-1 job.received         fail attempt=1 task=fail
    1.011 worker-1 job.running          fail attempt=1 task=fail
    1.012 worker-1 job.failed           fail attempt=1 text=ValueError
    1.012 worker-1 job.dead             fail attempt=1 value=raised
    1.013 worker-1 job.settled          fail

    1.000 producer enqueue.begin        retry task=retry
    1.001 producer enqueue.acknowledged retry task=retry
    1.010 worker-1 job.received         retry attempt=1 task=retry
    1.011 worker-1 job.running          retry attempt=1 task=retry
    1.012 worker-1 job.failed           retry attempt=1
    1.012 worker-1 job.retried          retry attempt=1 value=300ms
    1.013 worker-1 job.settled          retry
    1.320 worker-1 job.received         retry attempt=2 task=retry
    1.321 worker-1 job.running          retry attempt=2 task=retry
    1.322 worker-1 job.finished         retry attempt=2
    1.323 worker-1 job.settled          retry

    1.000 producer enqueue.begin        give_up task=give_up
    1.001 producer enqueue.acknowledged give_up task=give_up
    1.010 worker-1 job.received         give_up attempt=1 task=give_up
    1.011 worker-1 job.running          give_up attempt=1 task=give_up
    1.012 worker-1 job.failed           give_up attempt=1
    1.012 worker-1 job.retried          give_up attempt=1 value=300ms
    1.013 worker-1 job.settled          give_up
    1.320 worker-1 job.received         give_up attempt=2 task=give_up
    1.321 worker-1 job.running          give_up attempt=2 task=give_up
    1.322 worker-1 job.failed           give_up attempt=2
    1.322 worker-1 job.dead             give_up attempt=2 value=raised
    1.323 worker-1 job.settled          give_up

    1.000 producer enqueue.begin        time_out task=time_out
    1.001 producer enqueue.acknowledged time_out task=time_out
    1.010 worker-1 job.received         time_out attempt=1 task=time_out
    1.011 worker-1 job.running          time_out attempt=1 task=time_out
    2.012 worker-1 job.timed_out        time_out attempt=1
    2.012 worker-1 job.dead             time_out attempt=1 value=timed_out
    2.013 worker-1 job.settled          time_out

    1.000 producer enqueue.begin        delayed task=delayed
    1.000 producer enqueue.not_before   delayed value=2s
    1.001 producer enqueue.acknowledged delayed task=delayed
    1.010 worker-1 job.received         delayed attempt=1 task=delayed
    2.011 worker-1 job.running          delayed attempt=1 task=delayed
    2.012 worker-1 job.finished         delayed attempt=1
    2.013 worker-1 job.settled          delayed
    3.000 producer producer.done        - value=6
"""
STANDING = Snapshot(
    "before any worker ran",
    Counts(waiting=2, running=0, delayed=None),
    (Held("succeed", "waiting"), Held("delayed", "waiting")),
    None,
    waiting=1,
    delayed=1,
    dead=0,
)
DONE = Snapshot(
    "when all was done", Counts(0, 0, 0, 3), (), tuple(Held(job, "dead") for job in ("fail", "give_up", "time_out")), 0, 0, 3
)


def app(**missing):
    """A live app whose library hands no job back, and lacks more."""
    lacks = {name.replace("__", "."): why for name, why in missing.items()}
    return App("1.0", "3.11", {"acks_late": True}, {one: {} for one in OUTCOMES}, {"job.rejected": "never handed back", **lacks})


def evidence(lines=SOUND, **changes):
    """Evidence of a sound adapter, but for the changes."""
    sound = Evidence(
        subject=SUBJECT,
        app=app(),
        tested="toy 1.0",
        history=history(lines),
        reports=REPORTS,
        sent=dict.fromkeys(OUTCOMES, 1),
        snapshots=(STANDING, DONE),
        early=(),
        leftovers=(),
        killed=(),
    )
    return replace(sound, **changes)


def without(words):
    """The sound history without the first line that has these words."""
    lines = SOUND.splitlines()
    lines.remove(next(line for line in lines if words in " ".join(line.split())))
    return "\n".join(lines)


def twice(words):
    """The sound history with that line twice."""
    return SOUND + next(line for line in SOUND.splitlines() if words in " ".join(line.split())) + "\n"


def changed(words, old, new):
    line = next(line for line in SOUND.splitlines() if words in " ".join(line.split()))
    return SOUND.replace(line, line.replace(old, new))


@pytest.mark.parametrize("check", CHECKS)
def test_sound_adapter_draws_no_complaint(check):
    assert CHECKS[check](evidence()) == []


LIFE = "every_event_once"
DEFECTS = {
    "a lost finish": (LIFE, without("job.finished succeed"), "job.finished 0 times, not 1"),
    "a finish told twice": (LIFE, twice("job.finished succeed"), "job.finished 2 times, not 1"),
    "a failure told twice": (LIFE, twice("job.failed fail"), "job.failed 2 times, not 1"),
    "a retry not told": (LIFE, without("job.retried retry"), "job.retried 0 times, not 1"),
    "a death not told": (LIFE, without("job.dead give_up"), "job.dead 0 times, not 1"),
    "a time limit not told": (LIFE, without("job.timed_out time_out"), "job.timed_out 0 times, not 1"),
    "an enqueue told twice": (LIFE, twice("enqueue.begin delayed"), "enqueue.begin 2 times, not 1"),
    "a receipt not told": (LIFE, without("job.received succeed"), "job.received 0 times, not 1"),
    "a settling not told": (LIFE, without("job.settled fail"), "job.settled 0 times, not 1"),
    "a settling told twice": (LIFE, twice("job.settled succeed"), "job.settled 2 times, not 1"),
    "a wrong attempt": ("attempts_are_numbered", changed("job.running retry attempt=2", "attempt=2", "attempt=1"), "[1, 1]"),
    "a retry before its time": (
        "retries_come_when_announced", changed("job.retried retry", "300ms", "900ms"), "before its retry was due"
    ),
    "a delayed job at once": ("delays_are_kept", changed("job.running delayed", "2.011", "1.020"), "0.020 s after it was sent"),
    "a wrong moment": ("delays_are_kept", changed("enqueue.not_before", "value=2s", "value=9s"), "8.000 s after it was sent"),
    "a wrong reason": ("deaths_say_why", changed("job.dead time_out", "value=timed_out", "value=raised"), "died as raised"),
    "a stranger": (
        "history_is_complete", SOUND + "4.0 worker-1 job.running other attempt=1 task=other\n", "belong to no task"
    ),
    "a second run": ("promises_hold", SOUND + "4.0 worker-1 job.running succeed attempt=1 task=succeed\n", "at_most_once"),
    "an undeclared kind": ("declaration_is_true", SOUND + "4.0 worker-1 job.rejected succeed\n", "job.rejected came"),
    "a kind that never comes": ("declaration_is_true", SOUND.replace("job.settled", "job.rejected"), "job.settled is declared"),
}  # fmt: skip


@pytest.mark.parametrize(("check", "lines", "words"), DEFECTS.values(), ids=DEFECTS)
def test_planted_defect_is_told(check, lines, words):
    (complaint, *_) = CHECKS[check](evidence(lines))
    assert words in complaint


def test_job_that_was_sent_and_is_nowhere_is_told():
    assert CHECKS["history_is_complete"](evidence(sent={"succeed": 2})) == ["1 jobs of 'succeed' are in the history; 2 were sent"]


def test_undeclared_event_is_not_asked_for():
    """What an adapter cannot see is no defect of it."""
    lines = "\n".join(line for line in SOUND.splitlines() if "job.settled" not in line)
    assert CHECKS[LIFE](evidence(lines, reports=REPORTS - {Kind.JOB_SETTLED})) == []


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (replace(STANDING, counts=Counts(waiting=3, running=0)), "make 3 jobs that may still run; there were 2"),
        (replace(STANDING, counts=Counts(waiting=0, running=0, delayed=2)), "2 jobs were counted as delayed; there were 1"),
        (replace(STANDING, held=STANDING.held[:1]), "1 jobs were listed as held; there were 2"),
        (replace(STANDING, held=(STANDING.held[0],) * 2), "2 jobs were listed as held; there were 2"),
        (replace(DONE, counts=Counts(dead=1)), "1 jobs were counted as dead; there were 3"),
        (replace(DONE, dead_listed=()), "0 jobs were listed as dead; there were 3"),
    ],
)
def test_wrong_count_is_told(snapshot, words):
    (complaint, *_) = CHECKS["counts_agree"](evidence(snapshots=(snapshot,)))
    assert words in complaint


def test_id_that_leads_to_no_job_is_told():
    strange = replace(STANDING, held=(Held("celery-task-meta-succeed", "waiting"),))
    (complaint,) = CHECKS["ids_map_both_ways"](evidence(snapshots=(strange,)))
    assert "the history has no such job" in complaint


def test_worker_that_is_ready_before_its_broker_is_told():
    assert CHECKS["never_ready_early"](evidence(early=("early-bird",))) != []


def test_broker_that_cannot_be_paused_proves_no_worker_early():
    assert CHECKS["never_ready_early"](evidence(early=None)) == []


def test_what_outlives_the_stop_is_told():
    assert len(CHECKS["stop_leaves_nothing"](evidence(leftovers=("work-horse",), killed=("worker-2",)))) == 2


def test_worker_that_is_declared_not_to_stop_may_be_killed_and_leaves_nothing():
    deaf = app(stop="its loop is not woken")
    assert CHECKS["stop_leaves_nothing"](evidence(app=deaf, killed=("worker-2",))) == []
    assert len(CHECKS["stop_leaves_nothing"](evidence(app=deaf, leftovers=("work-horse",)))) == 1


def test_missing_outcome_needs_a_reason_and_no_event():
    jobs = {outcome: job for outcome, job in SUBJECT.jobs.items() if outcome != "time_out"}
    silent = Subject("toy", {}, {}, jobs)
    assert "there is no job of 'time_out', and no reason in `missing`" in CHECKS["declaration_is_true"](evidence(subject=silent))
    said = Subject("toy", {}, {}, jobs, {"time_out": "the library has no time limits"})
    (complaint, *_) = CHECKS["declaration_is_true"](evidence(subject=said))
    assert complaint == "'time_out' is called missing, and job.timed_out is declared all the same"


def test_event_of_a_life_that_is_neither_declared_nor_said_to_be_missing_is_told():
    kept = "\n".join(line for line in SOUND.splitlines() if "job.received" not in line)
    blind = evidence(kept, reports=REPORTS - {Kind.JOB_RECEIVED})
    assert CHECKS["declaration_is_true"](blind) == ["job.received is neither declared nor said to be missing"]
    assert CHECKS["declaration_is_true"](replace(blind, app=app(job__received="the library does not tell"))) == []


def test_outcome_that_a_version_cannot_have_is_left_out_though_its_event_is_declared():
    less = SUBJECT.less({"time_out": "before 2.0 such a job is delivered again for ever"})
    assert "time_out" not in less.jobs
    old = evidence(subject=less, app=app(time_out="before 2.0 such a job is delivered again for ever"))
    assert CHECKS["declaration_is_true"](old) == []


def test_app_that_says_no_version_or_task_is_told():
    assert len(CHECKS["version_is_said"](evidence(app=App("unknown", "3.11", {}, {})))) == 2 + len(OUTCOMES)
