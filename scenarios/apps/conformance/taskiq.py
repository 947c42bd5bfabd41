"""The conformance app on taskiq. BROKER_URL names the broker: redis://, amqp:// or nats://."""

import asyncio
import os
from typing import Annotated

from taskiq import SimpleRetryMiddleware, TaskiqDepends
from taskiq.context import Context


def make_broker(url):
    """The broker that the address calls for; RabbitMQ's with a queue for delayed jobs."""
    if url.startswith("amqp"):
        import taskiq_aio_pika

        # Since 0.5 the queue for delayed jobs has to be asked for.
        queue = getattr(taskiq_aio_pika, "Queue", None)
        return taskiq_aio_pika.AioPikaBroker(url, **({"delay_queue": queue(name="taskiq.delay")} if queue is not None else {}))
    if url.startswith("nats"):
        from taskiq_nats import PullBasedJetStreamBroker

        # Without a timeout of its own an idle worker does not notice SIGTERM.
        return PullBasedJetStreamBroker(url, pull_consume_timeout=0.5)
    import taskiq_redis

    return getattr(taskiq_redis, "RedisStreamBroker", taskiq_redis.ListQueueBroker)(url)


broker = make_broker(os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")).with_middlewares(SimpleRetryMiddleware())


@broker.task
async def succeed(number: int) -> None:
    """Return at once."""


@broker.task
async def fail(number: int) -> None:
    """Raise; never retried."""
    raise ValueError(f"number {number} fails")


@broker.task(retry_on_error=True, max_retries=2)
async def retry(number: int, context: Annotated[Context, TaskiqDepends()] = None) -> None:
    """Raise at the first attempt, return at the second."""
    if not int(context.message.labels.get("_retries", 0)):
        raise ValueError(f"number {number} fails once")


@broker.task(retry_on_error=True, max_retries=2)
async def give_up(number: int) -> None:
    """Raise at every attempt; retried once."""
    raise ValueError(f"number {number} fails again and again")


@broker.task(timeout=1)
async def time_out(number: int) -> None:
    """Run for longer than the time limit."""
    for _ in range(300):
        await asyncio.sleep(0.1)


@broker.task
async def delayed(number: int) -> None:
    """Return at once; sent with a delay."""
