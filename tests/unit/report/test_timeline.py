"""The series of the timeline, on histories written by hand."""

from pytest import approx

from jobharness.report.timeline import timeline
from jobharness.report.window import Window, window_of
from jobharness.report.workers import Span, alive, lanes_of
from tests.histories import history

S = 1_000_000_000

TWO_JOBS = """
    0.000  harness   run.phase             -  text=workload
    1.000  producer  enqueue.begin         a  value=1s
    1.010  producer  enqueue.acknowledged  a
    1.100  worker-1  job.running           a
    1.600  worker-1  job.finished          a
    2.000  producer  enqueue.begin         b  value=2s
    2.010  producer  enqueue.acknowledged  b
    4.000  harness   run.phase             -  text=stop
"""


def window(seconds: int) -> Window:
    return Window(origin_ns=1 * S, end_ns=(1 + seconds) * S, over_ns=(1 + seconds) * S, bin_ns=1 * S)


def test_each_bin_counts_what_happened_in_it() -> None:
    assert timeline(history(TWO_JOBS), window(3)).to_dict(as_series=False) == {
        "since_s": [0.0, 1.0, 2.0],
        "arrivals": [1.0, 1.0, 0.0],
        "completions": [1.0, 0.0, 0.0],
        "open": [1, 1, 1],
        "waiting": [1, 1, 1],
        "p50": [approx(0.6), None, None],
        "p95": [approx(0.6), None, None],
        "p99": [approx(0.6), None, None],
    }


def test_a_job_that_is_never_completed_stays_open_to_the_end() -> None:
    assert timeline(history(TWO_JOBS), window(30))["open"].to_list() == [1] * 30


def test_a_job_that_began_before_its_enqueue_was_acknowledged_never_waited() -> None:
    seen = history("""
        1.000  producer  enqueue.begin         a  value=1s
        1.001  worker-1  job.running           a
        1.002  producer  enqueue.acknowledged  a
        1.003  worker-1  job.finished          a
    """)
    assert timeline(seen, window(1)).select("open", "waiting").row(0) == (1, 0)


def test_a_job_whose_worker_died_is_open_and_one_dead_by_itself_is_not() -> None:
    seen = history("""
        1.000  producer  enqueue.acknowledged  a
        1.000  producer  enqueue.acknowledged  b
        1.100  worker-1  job.dead              a  value=worker_lost
        1.100  worker-1  job.dead              b  value=raised
        2.500  worker-1  worker.ready          -
    """)
    assert timeline(seen, window(2))["open"].to_list() == [2, 1]


def test_the_window_begins_at_the_first_arrival_and_leaves_a_long_quiet_end_out() -> None:
    found = window_of(history(TWO_JOBS))
    assert (found.origin_ns, found.over_ns) == (1 * S, 4 * S)
    assert found.end_ns == round(2.03525 * S)
    assert found.quiet_s == approx(4 - 2.03525)


def test_a_history_with_no_event_has_a_window_and_a_timeline_without_values() -> None:
    empty = history("")
    series = timeline(empty, window_of(empty))
    assert series["open"].sum() == 0
    assert series["p50"].null_count() == series.height


def test_a_worker_that_is_killed_leaves_a_gap_until_its_replacement_is_ready() -> None:
    seen = history("""
        0.000  harness     worker.started  -  text=worker-1
        0.900  worker-1    worker.ready    -
        1.100  worker-1/7  worker.ready    -
        2.500  harness     worker.exited   -  text=worker-1 value=-9
        2.700  harness     worker.started  -  text=worker-1
        3.500  worker-1/9  worker.ready    -
    """)
    drawn = window(4)
    (lane,) = lanes_of(seen, drawn)
    assert lane.name == "worker-1"
    assert lane.spans == (
        Span(0, round(0.9 * S), ready=False),
        Span(round(0.9 * S), round(2.5 * S), ready=True, exit_code=-9),
        Span(round(2.7 * S), round(3.5 * S), ready=False),
        Span(round(3.5 * S), 5 * S, ready=True),
    )
    assert alive([lane], drawn) == [1, 0, 0, 1]
