"""What the adapters share when they ask a broker, and when they read what a scenario asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from jobharness.errors import BrokerFailed, InvalidRequest, nearest

__all__ = ["asking_redis", "check_settings"]


@contextmanager
def asking_redis() -> Iterator[None]:
    """Ask a Redis broker within this block. Raises: BrokerFailed when it does not answer, or refuses."""
    import redis

    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise BrokerFailed(f"the broker did not answer ({error})") from error


def check_settings(library: str, settings: Iterable[str], known: Iterable[str]) -> None:
    """Raises: InvalidRequest for a setting that cannot be laid over this library's app."""
    for name in settings:
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise InvalidRequest(f"queue.settings.{name}: {library} has no such setting{hint} (known: {', '.join(known)})")
