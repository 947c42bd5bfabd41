"""What a pipe does with bytes while the network is disturbed."""

import asyncio
from random import Random

import pytest

from jobharness.wire.disturbances import Bandwidth, Corruption, Latency, Partition, SilentDrop
from jobharness.wire.pipe import HOLD_AT_MOST, NEVER, STUCK, Pipe


@pytest.fixture
def piped():
    """A pipe on a loop, what came out of it, and how often its source was held up."""
    loop = asyncio.new_event_loop()
    out, throttled = [], []
    yield Pipe(loop, out.append, throttled.append), loop, out, throttled
    loop.close()


def test_undisturbed_pipe_passes_the_very_same_bytes_at_once(piped):
    pipe, _, out, _ = piped
    data = b"same"
    assert pipe.send(data) and out[0] is data


def test_order_is_kept_under_jitter(piped):
    pipe, loop, out, _ = piped
    pipe.disturb(Latency(Random(1), 0.01, 0.01))
    for number in range(50):
        pipe.send(bytes([number]))
    done = loop.create_future()
    pipe.finish(lambda: done.set_result(None))
    loop.run_until_complete(asyncio.wait_for(done, 10))
    assert out == [bytes([number]) for number in range(50)]


def test_partition_keeps_what_is_sent_until_it_is_healed(piped):
    pipe, _, out, _ = piped
    cut = Partition(Random(1))
    pipe.disturb(cut)
    pipe.send(b"a")
    pipe.send(b"b")
    assert out == []
    pipe.calm(cut)
    pipe.calm(cut)
    pipe.send(b"c")
    assert out == [b"a", b"b", b"c"]


def test_dropped_bytes_never_come_and_later_ones_do(piped):
    pipe, _, out, _ = piped
    gone = SilentDrop(Random(1))
    pipe.disturb(gone)
    assert not pipe.send(b"a")
    pipe.calm(gone)
    assert pipe.send(b"b") and out == [b"b"]


def test_sender_is_held_up_when_too_much_waits_and_let_go_when_it_has_left(piped):
    pipe, _, out, throttled = piped
    cut = Partition(Random(1))
    pipe.disturb(cut)
    pipe.send(bytes(HOLD_AT_MOST))
    assert throttled == []
    pipe.send(b"x")
    assert throttled == [True]
    pipe.calm(cut)
    assert throttled == [True, False] and len(out) == 2


def test_end_waits_for_what_was_sent_before_it(piped):
    pipe, _, out, _ = piped
    cut, ended = Partition(Random(1)), []
    pipe.disturb(cut)
    pipe.send(b"a")
    pipe.finish(lambda: ended.append(list(out)))
    assert ended == []
    pipe.calm(cut)
    assert ended == [[b"a"]]


def test_bandwidth_adds_up():
    thin = Bandwidth(Random(1), 1000)
    assert [thin.leaves(0.0, 500), thin.leaves(0.0, 500), thin.leaves(5.0, 500)] == [0.5, 1.0, 5.5]


def test_damage_costs_a_retransmission_of_200_ms_and_twice_that_each_time_after():
    rare = Corruption(Random(3), 0.5)
    delays = {round(rare.leaves(0.0, 100), 6) for _ in range(200)}
    assert {0.0, 0.2, 0.6, 1.4} <= delays


def test_what_is_gone_or_stuck_says_so():
    assert SilentDrop(Random(1)).leaves(0.0, 1) == NEVER
    assert Partition(Random(1)).leaves(0.0, 1) == STUCK
