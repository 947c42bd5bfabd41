"""Every metric of a history written by hand, and their percentiles against a sorted list."""

from __future__ import annotations

import json
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobharness.history.event import Kind
from jobharness.metrics.breakdown import break_down
from jobharness.metrics.gate import judge_gate
from jobharness.metrics.measure import measure
from jobharness.metrics.metric import Metric
from jobharness.metrics.names import DEFINITIONS
from jobharness.metrics.percentile import PERCENTILES, percentiles
from jobharness.scenario.model import GateSpec
from tests.histories import history
from tests.oracles.generated import histories, traffic
from tests.oracles.plain import plain
from tests.support.examples import examples

S = 1_000_000_000

RUN = """
    1.0 producer enqueue.begin a task=mail value=0.5s
    1.2 producer enqueue.acknowledged a
    1.3 producer enqueue.begin b task=mail value=1.3s
    1.4 producer enqueue.acknowledged b
    1.5 producer enqueue.begin c task=charge value=1.5s
    1.6 producer enqueue.acknowledged c
    1.7 producer enqueue.begin d task=charge value=1.6s
    1.8 producer enqueue.acknowledged d
    1.8 producer producer.late d value=100ms
    2.0 worker-1 job.running a
    2.1 upstream upstream.request a
    2.1 upstream upstream.request a
    2.2 upstream upstream.answered a value=429
    2.2 upstream upstream.answered a value=200
    2.5 worker-1 job.failed a
    2.5 worker-1 job.retried a
    2.6 worker-1 job.running b
    3.0 harness fault.begin - text=kill
    3.0 harness fault.hit b value=1002 text=kill
    3.1 harness fault.end - text=kill
    3.5 worker-2 job.running a
    4.0 worker-2 job.finished a
    4.1 worker-2 job.running c
    4.2 worker-2 job.failed c
    4.2 worker-2 job.dead c value=raised
    5.0 worker-2 job.running b
    5.5 worker-2 job.finished b
    1.0 harness resource.cpu - text=worker-1 group=7 value=1s
    3.0 harness resource.cpu - text=worker-1 group=7 value=2s
    3.0 harness resource.memory - text=worker-1 group=7 value=1000
    4.0 harness resource.memory - text=worker-1 group=7 value=3000
    4.5 broker broker.message a value=100
    4.6 broker broker.message - value=40
    4.7 broker broker.message a value=-60
    1.9 producer producer.done - value=4
    9.0 harness job.held d text="the list"
"""


def test_every_metric_of_a_history_written_by_hand():
    found = measure(history(RUN))
    expected = {
        "jobs.acknowledged": (4, 4),
        "jobs.refused": (0, 4),
        "jobs.unknown": (0, 4),
        "jobs.completed": (2, 4),
        "jobs.lost": (0, 4),
        "jobs.stuck": (1, 4),
        "jobs.duplicated": (1, 3),
        "jobs.dead": (1, 4),
        "attempts.mean": (5 / 3, 3),
        "error_rate": (0.4, 5),
        "throughput": (2 / 5, 2),
        "backlog.peak": (4, 4),
        **{f"enqueue.{name}": (0.2 if name != "p50" else 0.1, 4) for name in PERCENTILES},
        **{f"wait.{name}": (2.6 if name != "p50" else 1.5, 3) for name in PERCENTILES},
        **{f"latency.{name}": (4.2, 2) for name in PERCENTILES},
        **{f"run_time.{name}": (0.5, 4) for name in PERCENTILES},
        "faults.strikes": (1, 1),
        "faults.jobs_hit": (1, 1),
        "recovery.never": (0, 1),
        "recovery.p50": (2.5, 1),
        "recovery.max": (2.5, 1),
        "drain": (3.6, 1),
        "producer.late": (1, 4),
        "producer.lateness.max": (0.1, 1),
        "producer.off_schedule": (0.25, 4),
        "log.bytes_per_job": (None, 4),
        "worker.cpu_per_job": (0.5, 4),
        "worker.cpu_share.peak": (0.5, 1),
        "worker.memory.peak": (3000, 2),
        "broker.round_trips_per_job": (1, 3),
        "broker.bytes_per_job": (100, 3),
        "upstream.requests": (2, 2),
        "upstream.throttled": (1, 2),
        "upstream.requests_per_job": (2, 1),
    }
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(
        {name: one[0] for name, one in expected.items()}
    )
    assert {name: metric.count for name, metric in found.items()} == {name: one[1] for name, one in expected.items()}


def test_every_metric_is_defined_and_every_definition_measured():
    """Whatever the history holds: the names of a gate are known before a run."""
    defined = [name for one in DEFINITIONS for name in one.names]
    assert sorted(measure(history(RUN))) == sorted(measure(history(""))) == sorted(defined)
    units = {name: one.unit for one in DEFINITIONS for name in one.names}
    assert {name: metric.unit for name, metric in measure(history(RUN)).items()} == units


def test_what_was_not_observed_has_no_value():
    counts = {"jobs.acknowledged", "jobs.refused", "jobs.unknown", "jobs.completed", "jobs.lost", "jobs.stuck", "jobs.duplicated", "jobs.dead", "faults.strikes",
              "faults.jobs_hit", "producer.late", "producer.lateness.max", "upstream.requests", "upstream.throttled"}  # fmt: skip
    found = measure(history(""))
    assert {name for name, metric in found.items() if metric.value is not None} == counts
    assert not any(found[name].value for name in counts)


def test_sends_that_were_not_acknowledged_are_counted_by_what_is_known_of_them():
    found = measure(
        history("""
        0.0 producer enqueue.begin a
        0.1 producer enqueue.refused a
        0.2 producer enqueue.begin b
        0.3 producer enqueue.unknown b
        0.4 producer enqueue.begin c
        0.5 producer enqueue.begin d
        0.6 producer enqueue.unknown d
        0.7 producer enqueue.acknowledged d
        0.8 producer enqueue.unknown -
        0.9 producer enqueue.refused -
        """)
    )
    # Whoever sends through a service learns of no job where the answer fails to come.
    assert (found["jobs.refused"].value, found["jobs.unknown"].value, found["jobs.acknowledged"].value) == (2, 3, 1)
    assert found["jobs.unknown"].count == 6


NEVER_BACK = """
    1.0 producer enqueue.acknowledged a
    1.0 producer enqueue.acknowledged b
    1.0 producer enqueue.acknowledged c
    2.0 worker-1 job.running a
    2.0 worker-1 job.running b
    2.0 worker-1 job.running c
    3.0 harness fault.begin - text=kill
    3.0 harness fault.hit a
    3.0 harness fault.hit b
    3.0 harness fault.hit c
    3.1 worker-2 job.running a
    3.2 worker-2 job.finished a
"""


def test_a_run_in_which_most_jobs_never_recovered_does_not_look_fast():
    found = measure(history(NEVER_BACK))
    assert found["recovery.never"].value == 2
    assert found["recovery.p50"].value == found["recovery.max"].value == inf
    assert str(found["recovery.max"]) == "never"
    (crossing,) = judge_gate(found, {"recovery.max": GateSpec(max=30.0)})
    assert (crossing.word, crossing.sentence) == ("crossed", "recovery.max is never, more than 30.00 s")


def test_where_half_came_back_the_median_is_theirs_and_the_longest_is_never():
    found = measure(history(NEVER_BACK + "4.0 worker-2 job.running b\n4.5 worker-2 job.finished b"))
    assert (found["recovery.p50"].value, found["recovery.max"].value, found["recovery.never"].value) == (1.5, inf, 1)


def test_a_metric_that_is_never_survives_json():
    metric = Metric("recovery.max", inf, "s", 3)
    plain_text = json.dumps(metric.plain, allow_nan=False)
    assert Metric.of("recovery.max", json.loads(plain_text)) == metric
    assert "never" not in Metric("recovery.max", 1.0, "s", 3).plain


def test_by_task_and_by_phase_tell_the_same_figures_of_fewer_jobs():
    seen = history(RUN)
    found = break_down(seen)
    tasks, phases = found.tasks, found.phases
    assert {task: one["jobs.acknowledged"].value for task, one in tasks.items()} == {"mail": 2, "charge": 2}
    assert {name: tasks["mail"][name].value for name in ("jobs.completed", "jobs.duplicated", "attempts.mean", "error_rate")} == {
        "jobs.completed": 2,
        "jobs.duplicated": 1,
        "attempts.mean": 2,
        "error_rate": 0.25,
    }
    assert tasks["charge"]["jobs.lost_or_stuck"].value == 1
    assert (tasks["charge"]["run_time.p50"].value, tasks["charge"]["run_time.p50"].count) == (0.1, 1)
    assert list(phases) == ["before", "during kill", "after kill"]
    assert phases["before"]["jobs.acknowledged"].value == 4
    assert phases["after kill"]["jobs.acknowledged"].value == phases["during kill"]["jobs.acknowledged"].value == 0


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_percentiles_are_values_that_were_seen_at_their_place_in_the_order(values):
    found = list(percentiles("wait", np.array(values, np.int64)))
    for metric, share in zip(found, PERCENTILES.values(), strict=True):
        assert metric.value == sorted(values)[int((len(values) - 1) * share + 0.5)] / S
        assert metric.count == len(values)


@settings(max_examples=examples(40), deadline=None)
@given(histories(traffic()))
def test_counts_and_durations_agree_with_loops(seen):
    run, found = plain(seen), measure(seen)
    jobs = [job for job in run.jobs() if run.acknowledged(job)]
    unfinished = [job for job in jobs if run.completed(job) is None]
    executions = run.executions()
    waits = sorted(
        first - intended
        for job in run.jobs()
        if (first := run.first(Kind.JOB_RUNNING, job)) is not None and (intended := run.intended(job)) is not None
    )
    assert found["jobs.acknowledged"].value == len(jobs)
    assert found["jobs.lost"].value + found["jobs.stuck"].value == len(unfinished)
    assert found["run_time.p50"].count == sum(one.end is not None for one in executions)
    assert found["wait.p50"].count == len(waits)
    if waits:
        assert found["wait.p99.9"].value == waits[int((len(waits) - 1) * 0.999 + 0.5)] / S
    assert found["backlog.peak"].value == (_peak(run) if run.events else None)
    tasks = break_down(seen).tasks
    assert sum(one["jobs.acknowledged"].value for one in tasks.values()) == len(jobs)
    assert sum(one["run_time.p50"].count for one in tasks.values()) == found["run_time.p50"].count


def _peak(run):
    """The most jobs acknowledged and not yet begun, event by event; a job that is acknowledged again counts again."""
    waiting = most = 0
    begun = set()
    for event in run.events:
        if event.job is None:
            continue
        if event.kind == Kind.ENQUEUE_ACKNOWLEDGED:
            waiting += 1
        elif event.kind == Kind.JOB_RUNNING and event.job not in begun:
            begun.add(event.job)
            waiting -= 1
        most = max(most, waiting)
    return most


def test_a_job_that_was_done_and_is_asked_for_again_is_a_duplicate():
    """SAQ's old sweep on PostgreSQL retried jobs that were done: a retry explains another run, and no second completion."""
    again = """
        1.0 producer enqueue.begin a task=mail
        1.1 producer enqueue.acknowledged a
        2.0 worker-1 job.running a
        2.1 worker-1 job.finished a
        3.0 worker-2 job.retried a
        3.1 worker-2 job.running a
        3.2 worker-2 job.finished a
    """
    assert measure(history(again))["jobs.duplicated"].value == 1
    assert break_down(history(again)).tasks["mail"]["jobs.duplicated"].value == 1
