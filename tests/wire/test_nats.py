"""The proxy before a real NATS with JetStream."""

import asyncio
import uuid

import pytest

from jobharness.history.event import Kind

nats = pytest.importorskip("nats", reason="the client of this test is nats-py")
pytestmark = pytest.mark.real


async def jobs_stream(client, name):
    stream = client.jetstream()
    await stream.add_stream(name=name, subjects=[f"{name}.*"])
    return stream


@pytest.mark.parametrize("gated", [True, False])
def test_everything_a_client_does_works_through_the_proxy(wired, gated):
    through, name = wired("nats", gated), f"s{uuid.uuid4().hex[:8]}"

    async def work():
        client = await nats.connect(through.wire.url_for("worker-1"))
        stream = await jobs_stream(client, name)
        for body in (b"", b"small", b"x" * 500_000):
            await stream.publish(f"{name}.jobs", body, headers={"Id": "7"})
        pull = await stream.pull_subscribe(f"{name}.jobs", durable="worker")
        found = await pull.fetch(3, timeout=10)
        for message in found:
            await message.ack_sync()
        await client.flush()
        await client.close()
        return [len(message.data) for message in found]

    assert asyncio.run(work()) == [0, 5, 500_000]
    assert through.seen(Kind.BROKER_UNFRAMED) == []


def test_lost_acknowledgement_is_delivered_again(wired):
    through, name, job = wired("nats"), f"s{uuid.uuid4().hex[:8]}", str(uuid.uuid4())
    through.enqueued(str(uuid.uuid4()), job)

    async def work():
        client = await nats.connect(through.wire.url_for("worker-1"))
        stream = await jobs_stream(client, name)
        await stream.publish(f"{name}.jobs", b"other")
        await stream.publish(f"{name}.jobs", job.encode())
        config = nats.js.api.ConsumerConfig(ack_wait=1)
        pull = await stream.pull_subscribe(f"{name}.jobs", durable="worker", config=config)
        through.wire.arm("lost", "ack job=2", "lose")
        for message in await pull.fetch(2, timeout=10):
            await message.ack()
        (again,) = await pull.fetch(1, timeout=10)
        await client.close()
        return again

    again = asyncio.run(work())
    assert again.data == job.encode() and again.metadata.num_delivered == 2
    assert [found for _, found, label, _ in through.seen(Kind.FAULT_HIT) if label == "lost"] == [job]
