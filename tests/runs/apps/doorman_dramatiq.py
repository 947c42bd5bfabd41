"""A Dramatiq app with a middleware that keeps jobs from running. BROKER_URL names the broker; without RETRIES nothing is sent again."""

import os

import dramatiq
from dramatiq.middleware import Middleware, MiddlewareError, SkipMessage

URL = os.environ["BROKER_URL"]
if URL.startswith("redis"):
    from dramatiq.brokers.redis import RedisBroker as Broker
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker as Broker


class Refused(MiddlewareError):
    """What the doorman says."""


class Doorman(Middleware):
    """Skips the jobs of one actor, and fails those of another, before their code is called."""

    def before_process_message(self, broker, message):
        if message.actor_name == "skipped":
            raise SkipMessage("not today")
        if message.actor_name == "refused":
            raise Refused("not this one")


class CountingBroker(Broker):
    """Lets a job of one actor never leave: that is no send."""

    def enqueue(self, message, *, delay=None):
        return message if message.actor_name == "kept_back" else super().enqueue(message, delay=delay)


broker = CountingBroker(url=URL)
broker.middleware = [one for one in broker.middleware if "RETRIES" in os.environ or type(one).__name__ != "Retries"]
broker.add_middleware(Doorman())
dramatiq.set_broker(broker)
OPTIONS = {"max_retries": 0} if "RETRIES" in os.environ else {}


@dramatiq.actor(**OPTIONS)
def skipped(number):
    """Never called."""


@dramatiq.actor(**OPTIONS)
def refused(number):
    """Never called."""


@dramatiq.actor(**OPTIONS)
def skips_itself(number):
    """Changes its mind."""
    raise SkipMessage("not after all")


@dramatiq.actor(**OPTIONS)
def fails(number):
    """Raise."""
    raise ValueError(f"number {number} fails")


@dramatiq.actor(**OPTIONS)
def nested(number):
    """Call another actor as a plain function, and send one that does not leave."""
    plain(number)
    kept_back.send(number)


@dramatiq.actor(**OPTIONS)
def plain(number):
    """Return at once."""


@dramatiq.actor(**OPTIONS)
def kept_back(number):
    """Never called."""
