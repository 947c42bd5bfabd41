"""What the adapters share when they ask a broker, and when they read what a scenario asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from jobharness.brokers.broker import Broker
from jobharness.errors import BrokerFailed, InvalidRequest, nearest

__all__ = ["ask_sql", "asking_redis", "check_settings"]


@contextmanager
def asking_redis() -> Iterator[None]:
    """Ask a Redis broker within this block. Raises: BrokerFailed when it does not answer, or refuses."""
    import redis

    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise BrokerFailed(f"the broker did not answer ({error})") from error


def ask_sql(broker: Broker, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query to a PostgreSQL or SQLite broker, over a connection of its own.

    Raises: BrokerFailed when it does not answer, or refuses the query.
    """
    try:
        with closing(broker.client()) as client:
            return [tuple(row) for row in client.execute(query).fetchall()]
    except Exception as error:
        # Both clients follow PEP 249, whose exceptions have names and no common class.
        if {"Error", "Warning"} & {kind.__name__ for kind in type(error).__mro__}:
            raise BrokerFailed(f"the broker did not answer ({str(error).strip()})") from error
        raise


def check_settings(library: str, settings: Iterable[str], known: Iterable[str]) -> None:
    """Raises: InvalidRequest for a setting that cannot be laid over this library's app."""
    for name in settings:
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise InvalidRequest(f"queue.settings.{name}: {library} has no such setting{hint} (known: {', '.join(known)})")
