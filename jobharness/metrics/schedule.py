"""Whether the producer kept its schedule: a run in which it could not says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jobharness.clock import NS_PER_S
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.metric import Metric

__all__ = ["SHARE_OFF", "off_schedule", "schedules"]

SENDS = (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED)
OFF_NS = 50_000_000
SHARE_OFF = 0.01
"""A run in which more than this share of the sends began more than 50 ms late is marked."""


def schedules(history: History) -> Iterator[Metric]:
    """`producer.late` (sends more than 1 ms after their moment), `producer.lateness.max` and `producer.off_schedule`."""
    columns = history.columns
    late_ns = columns["value"][columns.rows(Kind.PRODUCER_LATE)]
    sent = _sent(history)
    yield Metric("producer.late", len(late_ns), "jobs", sent)
    yield Metric("producer.lateness.max", int(late_ns.max(initial=0)) / NS_PER_S, "s", len(late_ns))
    yield Metric("producer.off_schedule", int((late_ns > OFF_NS).sum()) / sent if sent else None, "1", sent)


def _sent(history: History) -> int:
    """How many sends there were: as the producers say at their end, and as far as it was seen for one that vanished."""
    columns, processes = history.columns, history.processes
    done = columns.rows(Kind.PRODUCER_DONE)
    finished = processes["name"].is_in(processes["name"][columns["process"][done]].implode())
    unfinished = ((processes["role"] == "producer") & ~finished).to_numpy()
    sent = int(columns["value"][done].sum())
    if unfinished.any():
        sent += sum(int(unfinished[columns["process"][columns.rows(kind)]].sum()) for kind in SENDS)
    return sent


def off_schedule(metrics: Mapping[str, Metric]) -> str:
    """Why the measured figures of a run are not those of the workload that was asked for; "" where its schedule was kept.

    Such a run is marked and not averaged, whatever held its producer up: a broker that blocks, a machine that is too small.
    """
    share, latest = metrics.get("producer.off_schedule"), metrics.get("producer.lateness.max")
    if share is None or share.value is None or share.value <= SHARE_OFF:
        return ""
    late = f"{share.value:.0%} of {share.count} sends began more than {OFF_NS // 1_000_000} ms late, the latest by {latest}"
    return f"the producer did not keep its schedule: {late}; what was measured is not the workload that was asked for"
