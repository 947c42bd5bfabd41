"""The proxy before a real Redis: nothing is changed, and each fault strikes the one message that is meant."""

import socket
import threading
import uuid
from time import monotonic

import pytest
import redis

from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.processes.process import wait_for

pytestmark = pytest.mark.real

STRIKES = (Kind.FAULT_BEGIN, Kind.FAULT_HIT, Kind.FAULT_END)


@pytest.fixture
def client(wired):
    """`client(wired)`: a client through the proxy."""
    clients = []

    def make(through, name="worker-1", **options):
        clients.append(redis.Redis.from_url(through.wire.url_for(name), socket_timeout=5, retry=None, **options))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("protocol", [2, 3])
def test_everything_a_client_does_works_through_the_proxy(wired, client, gated, protocol):
    through = wired("redis", gated)
    direct = client(through, protocol=protocol)
    queue, big = f"q-{uuid.uuid4()}", bytes(range(256)) * 4096
    assert direct.set("big", big) and direct.get("big") == big
    with direct.pipeline(transaction=True) as pipe:
        assert pipe.lpush(queue, "a").lpush(queue, "b").llen(queue).execute() == [1, 2, 2]
    with direct.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"n:{number}", number)
        assert pipe.execute() == [True] * 500
    assert direct.brpop(queue, timeout=1) == (queue.encode(), b"a") if protocol == 2 else direct.brpop(queue, timeout=1)
    with direct.pubsub(ignore_subscribe_messages=True) as news:
        news.subscribe("news")
        news.get_message(timeout=2)
        direct.publish("news", "hello")
        message = next(filter(None, (news.get_message(timeout=2) for _ in range(5))))
        assert message["data"] == b"hello"
    assert through.seen(Kind.BROKER_UNFRAMED) == []


def test_what_is_not_the_protocol_passes_with_a_note(wired):
    through = wired("redis")
    with socket.create_connection(("127.0.0.1", through.wire.listen("worker-1")), 5) as raw:
        raw.sendall(b"*1\r\n+PING\r\n")
        assert raw.recv(100).startswith(b"-ERR Protocol error")
    assert through.sees(Kind.BROKER_UNFRAMED)


def test_lost_message_does_not_arrive_and_its_connection_is_reset(wired, client):
    through = wired("redis")
    job, other = str(uuid.uuid4()), str(uuid.uuid4())
    queue, conn = f"q-{uuid.uuid4()}", client(through)
    conn.ping()
    through.enqueued(other, job)
    through.wire.arm("lost", "LPUSH job=2", "lose", reset=True)
    assert conn.lpush(queue, other) == 1
    with pytest.raises(redis.ConnectionError):
        conn.lpush(queue, job)
    assert conn.lrange(queue, 0, -1) == [other.encode()]
    kinds = [(kind, found) for kind, found, label, _ in through.seen(*STRIKES) if label == "lost"]
    assert kinds == [("fault.begin", ""), ("fault.hit", job), ("fault.end", "")]


def test_lost_commit_leaves_the_connection_fit_for_use(wired, client):
    through, label = wired("redis"), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.ping()
    through.wire.arm("lost", f"EXEC has={label}", "lose")
    with pytest.raises(redis.TimeoutError), conn.pipeline() as pipe:
        pipe.lpush(label, "x").execute()
    assert conn.llen(label) == 0


def test_lost_reply_leaves_its_command_done(wired, client):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.ping()
    through.wire.arm("unsaid", "LPUSH", "lose_reply", reset=True)
    with pytest.raises(redis.ConnectionError):
        conn.lpush(queue, "x")
    assert conn.lrange(queue, 0, -1) == [b"x"]


@pytest.mark.parametrize("transaction", [True, False])
def test_repeated_message_arrives_twice_and_is_answered_once(wired, client, transaction):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.ping()
    through.wire.arm("again", "EXEC" if transaction else "LPUSH", "repeat")
    with conn.pipeline(transaction=transaction) as pipe:
        assert pipe.lpush(queue, "x").llen(queue).execute() == [1, 1 if transaction else 2]
    assert conn.lrange(queue, 0, -1) == [b"x", b"x"] and conn.ping()


def test_delayed_message_is_late_and_all_behind_it_in_order(wired, client):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.ping()
    through.wire.arm("late", "LPUSH has=first", "delay", by_s=0.3)
    with conn.pipeline(transaction=False) as pipe:
        pipe.lpush(queue, "first").lpush(queue, "second").execute()
    assert conn.lrange(queue, 0, -1) == [b"second", b"first"]
    begin, end = (row for row in _times(through, "late"))
    assert end - begin >= 0.29e9


def _times(through, label):
    history = log.gather(through.records, {})
    rows = history.of(Kind.FAULT_BEGIN, Kind.FAULT_END).collect().iter_rows(named=True)
    return [row["time_ns"] for row in rows if history.text(row["text"]) == label]


def test_message_is_held_before_it_arrives_and_dies_with_its_process(wired, client):
    through, queue, job = wired("redis"), f"q-{uuid.uuid4()}", str(uuid.uuid4())
    conn, other = client(through), client(through, "worker-2")
    conn.ping()
    through.enqueued(job)
    through.wire.arm("kill#1", "LPUSH job=any", "hold", None)
    pushed = threading.Thread(target=lambda: _fails(lambda: conn.lpush(queue, job)))
    pushed.start()
    assert through.sees(Kind.BROKER_STEP)
    assert through.seen(Kind.BROKER_STEP)[0][:3] == ("broker.step", job, "kill#1")
    assert other.llen(queue) == 0  # Only the worker that is meant is held.
    through.wire.release("kill#1", forward=False)
    pushed.join(10)
    assert other.llen(queue) == 0 and not pushed.is_alive()


def test_message_is_held_after_it_arrived_and_its_reply_waits(wired, client):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}"
    conn, other = client(through), client(through, "worker-2")
    conn.ping()
    through.wire.arm("pause#1", "after LPUSH by=worker-1", "hold", None)
    answers = []
    pushed = threading.Thread(target=lambda: answers.append(conn.lpush(queue, "x")))
    pushed.start()
    assert through.sees(Kind.BROKER_STEP)
    assert other.llen(queue) == 1 and answers == []
    through.wire.release("pause#1", forward=True)
    pushed.join(10)
    assert answers == [1]


def _fails(call):
    with pytest.raises(redis.RedisError):
        call()


def test_reset_strikes_the_first_connections_only(wired):
    through = wired("redis", gated=False)
    place = ("127.0.0.1", through.wire.listen("worker-1"))
    through.wire.lay("reset#1", "reset", ["worker-1"], "both", 1.0, 2, "seed", {})
    for _ in range(2):
        # It may come before the call that connects has returned.
        with pytest.raises(ConnectionResetError), socket.create_connection(place, 5) as raw:
            raw.recv(1)
    with socket.create_connection(place, 5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"


def test_partition_holds_everything_and_lets_it_through_when_it_is_healed(wired, client):
    through, queue = wired("redis", gated=False), f"q-{uuid.uuid4()}"
    conn, other = client(through), client(through, "worker-2")
    conn.ping()
    through.wire.lay("cut", "partition", ["worker-1"], "both", 1.0, None, "seed", {})
    answers = []
    pushed = threading.Thread(target=lambda: answers.append(conn.lpush(queue, "x")))
    pushed.start()
    assert through.sees(Kind.FAULT_HIT)
    assert other.llen(queue) == 0 and answers == []
    through.wire.lift("cut")
    pushed.join(10)
    assert answers == [1]


def test_dropped_bytes_are_gone_and_the_connection_stays(wired, client):
    through, queue = wired("redis", gated=False), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.connection_pool.connection_kwargs["socket_timeout"] = 0.3
    conn.ping()
    through.wire.lay("gone", "drop", ["worker-1"], "from-broker", 1.0, None, "seed", {})
    with pytest.raises(redis.TimeoutError):
        conn.lpush(queue, "x")
    through.wire.lift("gone")
    assert conn.llen(queue) == 1


def test_share_of_the_connections_is_chosen_by_the_seed(wired, client):
    through = wired("redis", gated=False)
    clients = [client(through) for _ in range(20)]
    for one in clients:
        one.ping()

    def struck(seed):
        taken = through.wire.lay("some", "latency", ["worker-1"], "both", 0.5, None, seed, {"delay_s": 0, "jitter_s": 0})
        through.wire.lift("some")
        return taken

    assert struck("a") == struck("a") and 3 <= struck("a") <= 17
    assert len({struck(seed) for seed in "abcdef"}) > 1


def test_bandwidth_lets_no_more_through_than_it_says(wired, client):
    through = wired("redis", gated=False)
    conn = client(through)
    conn.ping()
    through.wire.lay("thin", "bandwidth", ["worker-1"], "to-broker", 1.0, None, "seed", {"bytes_per_s": 200_000})
    began = monotonic()
    conn.set("big", bytes(100_000))
    assert monotonic() - began >= 0.45


def test_end_of_a_connection_arrives_late(wired, client):
    through = wired("redis", gated=False)
    watcher, conn = client(through, "worker-2"), client(through, client_name="closing")
    conn.ping()
    through.wire.lay("slow", "slow_close", ["worker-1"], "both", 1.0, None, "seed", {"delay_s": 0.5})
    conn.close()
    names = [entry["name"] for entry in watcher.client_list()]
    assert "closing" in names
    assert wait_for(lambda: "closing" not in [entry["name"] for entry in watcher.client_list()], 10)


def test_message_that_was_held_and_then_dropped_is_in_the_evidence(wired, client):
    through, queue, job = wired("redis"), f"q-{uuid.uuid4()}", str(uuid.uuid4())
    worker, producer = client(through), client(through, "producer")
    worker.ping()
    through.wire.arm("drop#1", "after BRPOP", "hold", None)
    popping = threading.Thread(target=lambda: _fails(lambda: worker.brpop(queue, timeout=3)))
    popping.start()
    assert through.sees(Kind.BROKER_STEP)
    through.enqueued(job)
    producer.lpush(queue, job)
    assert wait_for(lambda: producer.llen(queue) == 0, 10)
    through.wire.lay("drop#1", "drop", ["worker-1"], "from-broker", 1.0, None, "seed", {})
    through.wire.release("drop#1", forward=True)
    popping.join(20)
    hits = [(found, words) for kind, found, _, words in through.seen(Kind.FAULT_HIT) if found]
    assert [found for found, _ in hits] == [job] and "<- reply to BRPOP" in hits[0][1]


def test_what_a_client_sent_before_it_left_still_arrives(wired, client):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}".encode()
    with socket.create_connection(("127.0.0.1", through.wire.listen("worker-1")), 5) as raw:
        raw.sendall(b"*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$1\r\nx\r\n" % (len(queue), queue))
    watcher = client(through, "worker-2")
    assert wait_for(lambda: watcher.llen(queue) == 1, 10)


def test_transcript_has_every_message_with_its_size_and_job(wired, client):
    through, job = wired("redis"), str(uuid.uuid4())
    conn = client(through)
    conn.ping()
    through.enqueued(job)
    through.wire.transcribe(True)
    conn.lpush(f"q-{uuid.uuid4()}", job)
    through.wire.transcribe(False)
    conn.ping()
    history = log.gather(through.records, {})
    found = [(history.text(row["task"]), row["value"] > 0, row["job"] is not None) for row in _rows(history, Kind.BROKER_MESSAGE)]
    assert found == [("LPUSH", True, True), ("LPUSH", False, True)]


def test_two_faults_at_the_same_message_strike_one_after_the_other(wired, client):
    through, queue = wired("redis"), f"q-{uuid.uuid4()}"
    conn = client(through)
    conn.ping()
    through.wire.arm("first", "LPUSH", "repeat")
    through.wire.arm("second", "LPUSH", "repeat")
    assert conn.lpush(queue, "x") == 1
    assert conn.llen(queue) == 2
    conn.lpush(queue, "y")
    assert conn.llen(queue) == 4


def _rows(history, *kinds):
    return list(history.of(*kinds).collect().iter_rows(named=True))


def test_proxy_works_without_uvloop(wired, client, tmp_path, monkeypatch):
    (tmp_path / "uvloop.py").write_text("raise ImportError")
    through = wired("redis", env={"PYTHONPATH": str(tmp_path)})
    conn = client(through)
    assert conn.set("big", bytes(1_000_000)) and len(conn.get("big")) == 1_000_000


def test_proxy_ends_when_its_harness_does(wired):
    through = wired("redis")
    process = through.wire._process
    through.wire._control.close()
    assert process.wait(10) == 0


def test_held_reply_is_to_a_message_that_was_carried_out_and_goes_on_or_dies_with_its_process(wired, client):
    """The broker knows of the message, its sender does not: what a death there leaves behind."""
    through = wired("redis")
    job, queue = str(uuid.uuid4()), f"q-{uuid.uuid4()}"
    through.enqueued(job)
    for forward in (True, False):
        conn = client(through)
        conn.ping()
        through.wire.arm(f"held {forward}", "LPUSH", "hold_reply", times=1)
        answers = []
        thread = threading.Thread(target=lambda conn=conn, answers=answers: answers.append(_said(lambda: conn.lpush(queue, job))))
        thread.start()
        assert wait_for(lambda: any(text == f"held {forward}" for _, _, text, _ in through.seen(Kind.BROKER_STEP)), 10)  # noqa: B023  # called before the next turn
        watching = redis.Redis.from_url(through.wire._url)
        assert watching.llen(queue) == (1 if forward else 2), "it was not carried out"
        watching.close()
        assert not answers, "its sender was told"
        through.wire.release(f"held {forward}", forward)
        thread.join(10)
        assert answers == [1] if forward else isinstance(answers[0], redis.RedisError)


def _said(call):
    try:
        return call()
    except redis.RedisError as error:
        return error
