"""How many requests a second the upstream answers on one core, and how exact its quotas are meanwhile.

The caller is a bare protocol of asyncio in this process; it has to be quicker than what it measures, and its own time is printed.
"""

import asyncio
import time

import numpy as np
import polars as pl
import psutil

from jobharness.clock import NS_PER_S
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.upstream.behaviour import Manners, QuotaRule
from tests.support.upstream import upstream_at

CONNECTIONS = 16
REQUESTS = 30_000
REQUEST = (
    b"POST /messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"X-Jobharness-Job: %032x\r\nIdempotency-Key: order-%d\r\n\r\n{}"
)
LIMIT, WINDOW_S, ASKED_FOR_S = 100, 0.5, 4.0


class Caller(asyncio.Protocol):
    """One connection that has one request under way as long as `more()` says so."""

    def __init__(self, more, ended):
        self.more, self.ended = more, ended

    def connection_made(self, transport):
        self.transport = transport
        self._ask()

    def data_received(self, data):
        # An answer ends with its body, which comes in one piece with its head.
        if data.endswith(b"}"):
            self._ask()

    def _ask(self):
        number = self.more()
        if number is None:
            self.transport.close()
            self.ended.release()
        else:
            self.transport.write(REQUEST % (number, number))


def call(port, more):
    """Ask over all connections until there is no more to ask."""

    async def run():
        loop, ended = asyncio.get_running_loop(), asyncio.Semaphore(0)
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Caller(more, ended), "127.0.0.1", port)
        for _ in range(CONNECTIONS):
            await ended.acquire()

    asyncio.run(run())


def cpu_s(process):
    times = process.cpu_times()
    return times.user + times.system


def test_requests_of_one_core(tmp_path, figure):
    """By the processor's time of its one process: what else the machine is busy with does not count."""
    with upstream_at(tmp_path) as upstream:
        numbers = iter(range(REQUESTS))
        process = psutil.Process(upstream.pid)
        spent_s, own_s, began_s = cpu_s(process), time.process_time(), time.monotonic()
        call(upstream.ways["plain"], lambda: next(numbers, None))
        took_s, own_s, spent_s = time.monotonic() - began_s, time.process_time() - own_s, cpu_s(process) - spent_s
    assert log.gather(tmp_path / "records", {}).of(Kind.EFFECT_APPLIED).collect().height == REQUESTS
    how = f"{REQUESTS:,} requests over {CONNECTIONS} connections, {REQUESTS / took_s:,.0f}/s by the clock; the caller took {own_s:.1f} s"
    figure("upstream: requests a second of one core", REQUESTS / spent_s, 3000, "/s", how, at_least=True)


def ideal(asked, window_ns):
    """Which requests pass, by the moments at which they came: those before which fewer than LIMIT passed within a window."""
    passed = []
    for at in asked:
        if len(passed) < LIMIT or passed[-LIMIT] <= at - window_ns:
            passed.append(at)
    return np.array(passed)


def most_in_a_window(passed, window_ns):
    """The most that any window holds, a half open one from each request that passed."""
    return int((np.searchsorted(passed, passed + window_ns) - np.arange(len(passed))).max())


def test_quota_is_exact(tmp_path, figure):
    """Against the same moments judged one by one: however busy the machine is, as many pass, and no window holds more."""
    quota = QuotaRule(kind="sliding-window", limit=LIMIT, window_s=WINDOW_S)
    with upstream_at(tmp_path, Manners(quotas=(quota,), retry_after="none")) as upstream:
        until_s, counter = time.monotonic() + ASKED_FOR_S, iter(range(10**9))
        call(upstream.ways["plain"], lambda: next(counter) if time.monotonic() < until_s else None)
    history = log.gather(tmp_path / "records", {})
    # By the moment at which each request came, which is the one that the quota goes by.
    came = history.of(Kind.UPSTREAM_REQUEST).sort("time_ns").collect()
    asked = came["time_ns"].to_numpy()
    passed = came.filter(pl.col("job").is_in(history.of(Kind.EFFECT_APPLIED).collect()["job"].to_list()))["time_ns"].to_numpy()
    window_ns = round(WINDOW_S * NS_PER_S)
    should = ideal(asked, window_ns)
    assert len(asked) > 2 * len(should), "too little was asked for to tell"
    # In every window from the beginning of the one to the end of the other, how many more or fewer passed than should have.
    edges = np.concatenate([should, passed])
    apart = [np.searchsorted(these, edges + window_ns) - np.searchsorted(these, edges) for these in (should, passed)]
    worst = max(int(np.abs(apart[0] - apart[1]).max()), most_in_a_window(passed, window_ns) - LIMIT)
    how = f"{len(asked)} requests, {len(passed)} of which passed and {len(should)} should have, over {ASKED_FOR_S:g} s; {LIMIT} in {WINDOW_S:g} s"
    figure("upstream: quota off in a window by, at most", float(worst), 1, "requests", how)
