"""What monitoring tells: whole findings by hand, and agreement with the oracles on generated histories."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobharness.contracts.alarm import AlarmRings, AlarmsQuiet
from jobharness.contracts.contract import OFFENDERS, Word
from jobharness.contracts.health import HealthHonest
from jobharness.contracts.reported import Reported
from jobharness.history.event import Kind
from tests.histories import Line, history, history_of
from tests.oracles import monitoring
from tests.oracles.plain import plain, word_of
from tests.support.examples import examples

STRIKE = "1.0 harness fault.begin - text=kill\n"
WATCHED = "9.0 harness alert.watched - value=7\n"
DOWN = AlarmRings("WorkerDown", 3)


def _ring(at, alert="WorkerDown"):
    return f"{at} harness alert.firing - text={alert}\n"


ALARMS = {
    "in time": (
        STRIKE + _ring(2.5004) + WATCHED,
        Word.HOLDS,
        "it rang 1.5 s after the strike",
        {"rings": 1, "after_ms": 1500},
        [],
    ),
    "just in time": (STRIKE + _ring(4.0), Word.HOLDS, "it rang 3.0 s after the strike", {"rings": 1, "after_ms": 3000}, []),
    "at once": (STRIKE + _ring(1.0), Word.HOLDS, "it rang 0.0 s after the strike", {"rings": 1, "after_ms": 0}, []),
    "too late": (
        STRIKE + _ring(6.0) + _ring(7.0) + WATCHED,
        Word.BROKEN,
        "it rang 5.0 s after the strike, where 3 s are allowed",
        {"rings": 2, "after_ms": 5000},
        [(None, 1, "too late")],
    ),
    "silent": (
        STRIKE + _ring(2.0, "NoWorker") + WATCHED,
        Word.BROKEN,
        "it stayed silent for 8.0 s after the strike",
        {"rings": 0},
        [],
    ),
    "false": (
        _ring(0.5) + _ring(0.6) + STRIKE + _ring(2.0) + WATCHED,
        Word.BROKEN,
        "it rang before anything had gone wrong",
        {"rings": 3},
        [(None, 0, "a false alarm")],
    ),
    "not struck": (_ring(0.5) + WATCHED, Word.UNKNOWN, "no fault struck", {}, []),
    "not watched": (STRIKE, Word.UNKNOWN, "Prometheus or Alertmanager did not answer to the end", {"rings": 0}, []),
    "watched too briefly": (
        STRIKE + "2.0 harness alert.watched -",
        Word.UNKNOWN,
        "it was watched for 1.0 s after the strike only",
        {"rings": 0},
        [],
    ),
    "watched just long enough": (
        STRIKE + "2.0 harness alert.watched -\n4.0 harness alert.watched -",
        Word.BROKEN,
        "it stayed silent for 3.0 s after the strike",
        {"rings": 0},
        [],
    ),
    "cut short": (
        STRIKE + WATCHED + "9.0 harness run.cut_short -",
        Word.UNKNOWN,
        "the run was cut short before the queue had drained",
        {"rings": 0},
        [],
    ),
}


def _whole(finding):
    return finding.word, finding.sentence, dict(finding.counts), list(finding.offenders.iter_rows())


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm(name):
    lines, *expected = ALARMS[name]
    finding = DOWN.check(history(lines))
    assert _whole(finding) == tuple(expected)
    assert (finding.contract, finding.offenders.schema) == ("alarm WorkerDown", OFFENDERS)


def test_an_alarm_for_one_fault_is_measured_from_that_fault():
    seen = history(STRIKE + "4.0 harness fault.begin - text=leak\n" + _ring(5.0, "MemoryHigh") + WATCHED)
    assert AlarmRings("MemoryHigh", 3, "leak").check(seen).sentence == "it rang 1.0 s after the strike"
    assert AlarmRings("MemoryHigh", 3).check(seen).word is Word.BROKEN
    never = AlarmRings("MemoryHigh", 3, "stop").check(seen)
    assert (never.contract, never.word, never.sentence) == ("alarm MemoryHigh", Word.UNKNOWN, "stop never struck")


QUIET = {
    "silent": (
        "5.0 harness alert.watched - value=3\n" + WATCHED,
        Word.HOLDS,
        "none of 7 alarms rang",
        {"rings": 0, "rules": 7},
        [],
    ),
    "rang": (
        _ring(1.0, "QueueGrowing")
        + _ring(2.0)
        + _ring(3.0, "Latency")
        + _ring(4.0, "QueueGrowing")
        + _ring(5.0, "Errors")
        + WATCHED,
        Word.BROKEN,
        "QueueGrowing rang, WorkerDown rang, Latency rang, Errors rang, though nothing went wrong",
        {"rings": 5, "rules": 7},
        [
            (None, 0, "QueueGrowing rang"),
            (None, 1, "WorkerDown rang"),
            (None, 2, "Latency rang"),
            (None, 3, "QueueGrowing rang"),
            (None, 4, "Errors rang"),
        ],
    ),
    "rang in a run that was cut short": (
        _ring(1.0) + "2.0 harness run.cut_short -",
        Word.BROKEN,
        "WorkerDown rang, though nothing went wrong",
        {"rings": 1, "rules": 0},
        [(None, 0, "WorkerDown rang")],
    ),
    "not watched": (
        STRIKE,
        Word.UNKNOWN,
        "Prometheus or Alertmanager did not answer to the end",
        {"rings": 0, "rules": 0},
        [],
    ),
    "nothing could ring": (
        "9.0 harness alert.watched - value=0",
        Word.UNKNOWN,
        "no rule was watched to the end",
        {"rings": 0, "rules": 0},
        [],
    ),
}


@pytest.mark.parametrize("name", QUIET)
def test_quiet_is_broken_by_any_alarm_and_unknown_without_a_watch(name):
    lines, *expected = QUIET[name]
    finding = AlarmsQuiet().check(history(lines))
    assert _whole(finding) == tuple(expected)
    assert finding.contract == "alarms_quiet"


def test_reports_are_held_against_deaths():
    seen = history("""
        1.0 worker-1 job.running a task=shop.charge
        1.1 worker-1 job.dead a text="ValueError: no"
        1.2 harness failure.reported a task=charge text="ValueError: no"
        2.0 worker-1 job.running b task=shop.charge
        2.1 worker-1 job.dead b text="ValueError: no"
        3.0 worker-1 job.running c task=shop.charge
        3.1 worker-1 job.failed c text="ValueError: no"
        3.2 harness failure.reported c task=charge text="ValueError: no"
        3.3 worker-1 job.finished c
        4.1 worker-1 job.dead d text="shop.errors.Declined: no"
        4.2 harness failure.reported d text="Declined: no"
        4.3 harness failure.reported d text="Declined: no"
        5.0 worker-1 job.running e task=shop.charge
        5.1 worker-1 job.dead e text="ValueError: no"
        5.2 harness failure.reported e task=shop.refund text="KeyError: no"
        6.0 harness failure.reported - text="a crash of no job"
    """)
    finding = Reported().check(seen)
    assert finding.word is Word.BROKEN
    assert finding.sentence == (
        "of 4 dead jobs 1 were not reported, 1 were reported more than once, 1 were reported under another task or exception; "
        "1 jobs that did not die were reported"
    )
    assert [(seen.job_id(job), why) for job, why in zip(finding.offenders["job"], finding.offenders["why"], strict=True)] == [
        ("b", "died, and was not reported"),
        ("d", "was reported more than once"),
        ("c", "was reported though it did not die"),
        ("e", "was reported under another task"),
        ("e", "was reported with another exception"),
    ]
    assert Reported("at least once").check(seen).counts["repeated"] == 0


@pytest.mark.parametrize("contract", [DOWN, AlarmsQuiet(), Reported(), HealthHonest(1)], ids=lambda one: one.name)
def test_neither_an_empty_nor_a_blind_history_holds(contract):
    assert contract.check(history("")).word is Word.UNKNOWN
    blind = history(STRIKE + WATCHED + "3.0 harness health.answered - value=500", failed=["worker-1"])
    assert contract.check(blind).word is not Word.HOLDS


TICK = 200_000_000
moments = st.integers(0, 20).map(lambda n: n * TICK)
names = st.sampled_from(("worker-1", "worker-2"))
JOBS = ("a", "b", "c")


TEXTS = {
    Kind.FAULT_BEGIN: ("kill", "kill", "pause"),
    Kind.ALERT_FIRING: ("WorkerDown", "WorkerDown", "NoWorker"),
    Kind.WORKER_EXITED: ("worker-1", "worker-2"),
    Kind.JOB_DEAD: ("ValueError: a",),
    Kind.FAILURE_REPORTED: ("", "ValueError: a", "ValueError: a", "KeyError: b"),
}
ALARM = (Kind.ALERT_FIRING, Kind.ALERT_WATCHED, Kind.FAULT_BEGIN)
DEATH = (Kind.JOB_DEAD, Kind.JOB_DEAD, Kind.FAILURE_REPORTED, Kind.FAILURE_REPORTED, Kind.JOB_FINISHED, Kind.JOB_RUNNING)
HEALTH = (
    Kind.WORKER_READY,
    Kind.WORKER_READY,
    Kind.WORKER_EXITED,
    Kind.ENQUEUE_ACKNOWLEDGED,
    Kind.JOB_RUNNING,
    Kind.JOB_FINISHED,
)


@st.composite
def watched_runs(draw, *kinds):
    """Events of these kinds, on whole ticks, in a run that may have been cut short, and a recorder that may have failed."""
    lines = [Line(draw(st.sampled_from((0, TICK))), "harness", Kind.RUN_PHASE, text="workload")]
    for _ in range(draw(st.integers(0, 12))):
        kind, at = draw(st.sampled_from(kinds)), draw(moments)
        about_job = kind.name.startswith(("ENQUEUE", "JOB", "FAILURE"))
        lines.append(
            Line(
                at,
                draw(names) if kind.name.startswith(("JOB", "WORKER_READY")) else "harness",
                kind,
                draw(st.sampled_from(JOBS)) if about_job else "",
                task=draw(st.sampled_from(("", "shop.charge", "shop.charge", "charge", "refund"))) if about_job else "",
                text=draw(st.sampled_from(TEXTS.get(kind, ("",)))),
                value=draw(st.sampled_from((200, 200, 503))) if kind is Kind.HEALTH_ANSWERED else 0,
            )
        )
    if draw(st.booleans()):
        lines.append(Line(21 * TICK, "harness", Kind.RUN_PHASE, text="stop"))
    if draw(st.integers(0, 5)) == 0:
        lines.append(Line(draw(moments), "harness", Kind.RUN_CUT_SHORT))
    failed = draw(st.sampled_from(((), (), (), ("worker-2",))))
    return history_of(lines, torn=draw(st.sampled_from((0, 0, 1))), failed=failed)


SETTINGS = {"max_examples": examples(150), "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(**SETTINGS)
@given(watched_runs(*ALARM), st.sampled_from((0.0, 0.4, 2.0)), st.sampled_from(("", "kill")))
def test_alarms_agree_with_their_oracle(seen, within_s, fault):
    finding = AlarmRings("WorkerDown", within_s, fault).check(seen)
    assert str(finding.word) == monitoring.alarm_rings(plain(seen), "WorkerDown", round(within_s * 1e9), fault)


@settings(**SETTINGS)
@given(watched_runs(*DEATH), st.sampled_from(("once", "at least once")))
def test_reports_agree_with_their_oracle(seen, times):
    finding, run = Reported(times).check(seen), plain(seen)
    answer = monitoring.reported(run, times == "once")
    assert finding.word is word_of(answer, run)
    assert sorted(finding.offenders["job"]) == sorted(job for job, _ in answer.offences)


@settings(**SETTINGS)
@given(watched_runs(*HEALTH, *[Kind.HEALTH_ANSWERED] * 5), st.sampled_from((0.0, 0.4, 1.0)))
def test_health_agrees_with_its_oracle(seen, within_s):
    finding, run = HealthHonest(within_s).check(seen), plain(seen)
    answer = monitoring.health(run, round(within_s * 1e9), TICK)
    assert sorted(finding.offenders["row"]) == sorted(row for _, row in answer.offences)
    assert finding.word is word_of(answer, run)
