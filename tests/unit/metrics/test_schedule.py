"""A run whose producer could not keep its schedule says so, and its speeds convict nobody."""

import pytest

from jobharness.metrics.before_after import Side, compare
from jobharness.metrics.gate import judge_gate
from jobharness.metrics.measure import measure
from jobharness.metrics.metric import Metric
from jobharness.metrics.schedule import off_schedule
from jobharness.scenario.model import GateSpec
from tests.histories import history

MARKED = (
    "the producer did not keep its schedule: 2% of 100 sends began more than 50 ms late, the latest by 300.0 ms; "
    "what was measured is not the workload that was asked for"
)


def _metrics(late: str):
    lines = "\n".join(f"0.{number:03}  producer  producer.late  -  value={each}" for number, each in enumerate(late.split()))
    return measure(history(lines + "\n1.000  producer  producer.done  -  value=100"))


@pytest.mark.parametrize(
    ("late", "share", "marked"), [("300ms 60ms", 0.02, MARKED), ("300ms 50ms", 0.01, ""), ("40ms 2ms 2ms", 0.0, "")]
)
def test_a_run_is_marked_when_more_than_one_in_a_hundred_sends_came_50_ms_late(late, share, marked):
    metrics = _metrics(late)
    assert (metrics["producer.off_schedule"].value, off_schedule(metrics)) == (share, marked)


def test_sends_of_a_producer_that_vanished_are_counted_as_far_as_they_were_seen():
    told = "0.1 producer enqueue.begin a\n0.2 producer enqueue.begin b\n0.3 producer producer.late - value=60ms"
    metrics = measure(history(told))
    assert (metrics["producer.late"].count, metrics["producer.off_schedule"].value) == (2, 0.5)


def test_a_producer_that_sent_nothing_is_not_marked():
    assert off_schedule(measure(history("0.000  producer  producer.ready  -"))) == ""
    assert off_schedule({}) == ""


def test_a_limit_on_a_speed_crossed_in_a_marked_run_is_unknown_and_a_count_still_convicts():
    limits = {"latency.p95": GateSpec(max="100ms"), "jobs.lost": GateSpec(max=0), "drain": GateSpec(max="1s")}
    seen = {
        "latency.p95": Metric("latency.p95", 0.2, "s", 9),
        "jobs.lost": Metric("jobs.lost", 3, "jobs", 9),
        "drain": Metric("drain", 0.5, "s", 9),
    }
    plain = [crossing.word for crossing in judge_gate({**_metrics("1ms"), **seen}, limits)]
    marked = judge_gate({**_metrics("300ms 60ms"), **seen}, limits)
    assert plain == ["crossed", "crossed", "passed"]
    assert [crossing.word for crossing in marked] == ["unknown", "crossed", "passed"]
    assert marked[0].sentence == f"latency.p95 is 200.0 ms, more than 100.0 ms, but {MARKED}"


def test_a_comparison_names_the_run_that_was_off_schedule_first():
    compared = compare(Side("before", _metrics("1ms"), {}), Side("after", _metrics("300ms 60ms"), {}))
    assert compared.warnings[0] == f"after: {MARKED}."
