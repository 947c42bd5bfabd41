"""What one event costs the worker that records it."""

import statistics
import time
import uuid

from jobharness.agent.recorder import Recorder
from jobharness.history.event import Kind

EVENTS = 10_000


def test_event_costs_the_worker_at_most_a_microsecond(benchmark, figure, tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    record, key = recorder.record, uuid.uuid4().bytes
    task = recorder.text("shop.charge")

    def many():
        for _ in range(EVENTS):
            record(Kind.JOB_RUNNING, key, 0, 1, task)

    benchmark.pedantic(many, rounds=30, warmup_rounds=2)
    # Each event by itself, less the cost of looking at the clock twice.
    taken, empty = [], []
    clock = time.perf_counter_ns
    for _ in range(20_000):
        start = clock()
        record(Kind.JOB_RUNNING, key, 0, 1, task)
        middle = clock()
        empty.append(clock() - middle)
        taken.append(middle - start)
    single_us = (statistics.median(taken) - statistics.median(empty)) / 1000
    per_event_us = benchmark.stats.stats.median / EVENTS * 1e6
    how = f"median of {len(taken):,} events, each by itself; in 30 rounds of {EVENTS:,}, changes of files included, {per_event_us:.2f} µs"
    figure("recording one event", single_us, 1.0, "µs", how)
