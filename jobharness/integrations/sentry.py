"""An ingest that speaks Sentry's envelopes, so that a run hears every error report that the app would send.

The app is given its DSN by the environment variable that the scenario names (`SENTRY_DSN = "{sentry.dsn}"`), and its own
sentry-sdk does the rest. Envelopes: https://develop.sentry.dev/sdk/data-model/envelopes/.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations.inbox import Inbox, Post
from jobharness.processes.site import Site
from jobharness.runner.watch import Notice

__all__ = ["SentryIngest", "reports_in"]

JOB_TAGS = ("celery_task_id", "huey_task_id", "arq_task_id")
JOB_EXTRAS = ("celery-job", "rq-job", "huey-job", "arq-job")
JOB_IDS = ("task_id", "job_id", "id", "dramatiq_message_id")
TASK_NAMES = ("task_name", "task", "func", "actor_name")


class SentryIngest:
    """See `jobharness.runner.watch`. Notices each event (not transactions, sessions or logs) as FAILURE_REPORTED."""

    def __init__(self) -> None:
        self._inbox = Inbox(b'{"id":"0"}')

    def places(self) -> Mapping[str, str]:
        """The DSN. Its key is no secret: it opens nothing but this port."""
        return {"sentry.dsn": f"http://jobharness@127.0.0.1:{self._inbox.port}/1"}

    def start(self, site: Site, places: Mapping[str, str]) -> None:
        """It listens since it was made."""

    def see(self, news: Sequence[News]) -> None:
        """It hears of jobs from the app alone."""

    def look(self) -> Iterable[Notice]:
        """The reports that came."""
        return [notice for post in self._inbox.take() for notice in reports_in(post)]

    waiting = False

    def finish(self) -> Iterable[Notice]:
        """The reports that came until now; processes that end send their last ones later."""
        return self.look()

    def stop(self) -> None:
        """Stop listening."""
        self._inbox.close()


def reports_in(post: Post) -> Iterator[Notice]:
    """The error reports of one envelope. What is no envelope holds none."""
    for header, payload in _items(_unpacked(post)):
        if header.get("type") == "event":
            try:
                event = json.loads(payload)
            except ValueError:
                continue
            yield Notice(Kind.FAILURE_REPORTED, text=_exception(event), task=_task(event), job=_job(event))


def _items(envelope: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Header and payload of each item: as long as the header says, else up to the end of the line."""
    _, _, rest = envelope.partition(b"\n")
    while rest:
        line, _, rest = rest.partition(b"\n")
        try:
            header = json.loads(line) if line else {}
        except ValueError:
            return
        size = header.get("length", rest.find(b"\n") if b"\n" in rest else len(rest))
        if header:
            yield header, rest[:size]
            rest = rest[size:].removeprefix(b"\n")


def _unpacked(post: Post) -> bytes:
    encoding = post.headers.get("content-encoding", "")
    try:
        if encoding == "gzip":
            return gzip.decompress(post.body)
        return zlib.decompress(post.body) if encoding == "deflate" else post.body
    except (OSError, zlib.error):
        return b""


def _exception(event: Mapping[str, Any]) -> str:
    """`Type: words` of the exception that ended the job: the last of a chain; the message where there is none."""
    values = (event.get("exception") or {}).get("values") or []
    if values:
        return f"{values[-1].get('type')}: {values[-1].get('value')}"
    entry = event.get("logentry") or {}
    return str(entry.get("formatted") or entry.get("message") or event.get("message") or "")


def _places(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where the integrations of sentry-sdk say what they know of a job, the surest first."""
    extra = event.get("extra") or {}
    yield from (extra[name] for name in JOB_EXTRAS if isinstance(extra.get(name), dict))
    yield extra
    data = ((event.get("contexts") or {}).get("dramatiq") or {}).get("data")
    if isinstance(data, dict):
        yield data


def _job(event: Mapping[str, Any]) -> str:
    """The library's own id of the job; "" where the report names none."""
    tags = event.get("tags") or {}
    tags = dict(tags) if isinstance(tags, list) else tags
    for name in JOB_TAGS:
        if tags.get(name):
            return str(tags[name])
    return next((str(place[name]) for place in _places(event) for name in JOB_IDS if place.get(name)), "")


def _task(event: Mapping[str, Any]) -> str:
    found = next((str(place[name]) for place in _places(event) for name in TASK_NAMES if place.get(name)), "")
    return found or str(event.get("transaction") or "")
