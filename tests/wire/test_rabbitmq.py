"""The proxy before a real RabbitMQ."""

import uuid

import pytest

from jobharness.history.event import Kind

amqp = pytest.importorskip("amqp", reason="the client of this test is py-amqp")
pytestmark = pytest.mark.real


@pytest.fixture
def connect(wired):
    """`connect(through)`: a connection through the proxy."""
    open_ones = []

    def make(through, name="worker-1", **options):
        port = through.wire.listen(name)
        options = {"login_method": "PLAIN", "userid": "guest", "password": "guest", **options}
        open_ones.append(amqp.Connection(f"127.0.0.1:{port}", **options))
        open_ones[-1].connect()
        return open_ones[-1]

    yield make
    for one in open_ones:
        one.collect()


def take(channel, queue):
    return channel.basic_get(queue)


@pytest.mark.parametrize("gated", [True, False])
def test_everything_a_client_does_works_through_the_proxy(wired, connect, gated):
    through, queue = wired("rabbitmq", gated), f"q-{uuid.uuid4()}"
    channel = connect(through, confirm_publish=True).channel()
    channel.queue_declare(queue, auto_delete=False)
    for body in (b"", b"small", b"x" * 1_000_000):
        channel.basic_publish_confirm(amqp.Message(body), "", queue)
    assert [len(take(channel, queue).body) for _ in range(3)] == [0, 5, 1_000_000]
    assert take(channel, queue) is None
    channel.queue_delete(queue)
    assert through.seen(Kind.BROKER_UNFRAMED) == []


def test_lost_acknowledgement_is_delivered_again(wired, connect):
    through, queue, job = wired("rabbitmq"), f"q-{uuid.uuid4()}", str(uuid.uuid4())
    connection = connect(through)
    channel = connection.channel()
    channel.queue_declare(queue, auto_delete=False)
    through.enqueued("other-job-id", job)
    for name in ("other-job-id", job):
        channel.basic_publish(amqp.Message(b"{}", correlation_id=name), "", queue)
    through.wire.arm("lost", "ack job=2", "lose")
    for message in [take(channel, queue), take(channel, queue)]:
        channel.basic_ack(message.delivery_tag)
    connection.close()
    again = connect(through).channel()
    message = take(again, queue)
    assert message.properties["correlation_id"] == job and message.delivery_info["redelivered"]
    assert take(again, queue) is None
    assert [found for _, found, label, _ in through.seen(Kind.FAULT_HIT) if label == "lost"] == [job]


def test_repeated_publish_is_there_twice_and_confirmed_once(wired, connect):
    through, queue = wired("rabbitmq"), f"q-{uuid.uuid4()}"
    channel = connect(through, confirm_publish=True).channel()
    channel.queue_declare(queue, auto_delete=False)
    through.wire.arm("again", "publish", "repeat")
    for body in (b"one", b"two", b"three"):
        channel.basic_publish_confirm(amqp.Message(body), "", queue)
    assert [take(channel, queue).body for _ in range(4)] == [b"one", b"one", b"two", b"three"]


def test_lost_delivery_is_the_workers_until_its_connection_ends(wired, connect):
    through, queue = wired("rabbitmq"), f"q-{uuid.uuid4()}"
    worker, other = connect(through), connect(through, "worker-2")
    channel, watching = worker.channel(), other.channel()
    watching.queue_declare(queue, auto_delete=False)
    through.wire.arm("lost", "reply deliver by=worker-1", "lose")
    seen = []
    channel.basic_consume(queue, callback=lambda message: seen.append(message.body), no_ack=False)
    watching.basic_publish(amqp.Message(b"first"), "", queue)
    watching.basic_publish(amqp.Message(b"second"), "", queue)
    worker.drain_events(timeout=10)
    assert seen == [b"second"] and take(watching, queue) is None


def test_heartbeats_are_late_while_messages_flow(wired, connect):
    through, queue = wired("rabbitmq"), f"q-{uuid.uuid4()}"
    connection = connect(through, heartbeat=60)
    channel = connection.channel()
    channel.queue_declare(queue, auto_delete=False)
    through.wire.arm("late", "heartbeat", "delay", None, by_s=60)
    connection.send_heartbeat()
    connection.send_heartbeat()
    assert through.sees(Kind.FAULT_HIT)
    channel.basic_publish(amqp.Message(b"x"), "", queue)
    assert take(channel, queue).body == b"x"
    assert through.seen(Kind.FAULT_END) == []
