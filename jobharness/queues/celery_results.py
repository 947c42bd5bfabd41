"""What Celery's result backend says of jobs, read from outside: no process of the app takes part (celery/backends/base.py).

Only ready states are told; a task with `ignore_result` never has one, and an expired result is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jobharness.errors import InvalidRequest
from jobharness.history.event import Dead
from jobharness.queues.asking import asking_redis
from jobharness.queues.queue import Completion

if TYPE_CHECKING:
    import redis

__all__ = ["CeleryResults"]

PREFIX = "celery-task-meta-"
AT_ONCE = 1000
DEATHS = {
    "WorkerLostError": Dead.WORKER_LOST,
    "TimeLimitExceeded": Dead.TIMED_OUT,
    "SoftTimeLimitExceeded": Dead.TIMED_OUT,
    "NotRegistered": Dead.UNKNOWN_TASK,
}
"""What Celery itself stores as the failure of a job, by the exception's name; any other is the task's own."""


class CeleryResults:
    """The results in a Redis backend that were not there when it was made. Nothing is changed in it.

    Raises: InvalidRequest for another kind of backend; BrokerFailed, here and from `new`, where it does not answer.
    """

    def __init__(self, url: str) -> None:
        import redis

        if not url.startswith(("redis://", "rediss://")):
            raise InvalidRequest(
                f"results of Celery are read from Redis (redis://host:port/db), and {url.partition(':')[0]}:// is none"
            )
        self._client: redis.Redis = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        with asking_redis():
            self._seen = set(self._keys())

    def new(self) -> list[Completion]:
        """The jobs that were found to be over since it was asked last. Cost: one pass over the database's keys."""
        with asking_redis():
            keys = [key for key in self._keys() if key not in self._seen]
            said = [value for first in range(0, len(keys), AT_ONCE) for value in self._client.mget(keys[first : first + AT_ONCE])]
        found = []
        for key, value in zip(keys, said, strict=True):
            if value is not None and (completion := _completion(key.decode()[len(PREFIX) :], value)) is not None:
                self._seen.add(key)
                found.append(completion)
        return found

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _keys(self) -> Iterator[bytes]:
        # A key may come twice while the database grows (SCAN).
        yield from dict.fromkeys(self._client.scan_iter(f"{PREFIX}*", count=AT_ONCE))


def _completion(job_id: str, value: bytes | str) -> Completion | None:
    """What a stored result says; None where the job is not over, or it is none of Celery's."""
    try:
        said: Any = json.loads(value)
        status, result = said["status"], said.get("result")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if status == "SUCCESS":
        return Completion(job_id)
    if status == "REVOKED":
        return Completion(job_id, Dead.REVOKED)
    if status != "FAILURE":
        return None
    kind = str(result.get("exc_type", "")) if isinstance(result, dict) else ""
    words = result.get("exc_message") if isinstance(result, dict) else result
    told = ", ".join(map(str, words)) if isinstance(words, list | tuple) else str(words)
    return Completion(job_id, DEATHS.get(kind, Dead.RAISED), f"{kind}: {told}")
