"""What a running Celery tells any monitor: its events, heard by its own receiver (celery/events/receiver.py).

Nothing is sent to the system, but where `enable` asks its workers to begin sending events.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jobharness.clock import NS_PER_S
from jobharness.errors import BrokerFailed, ExtraMissing, InvalidRequest
from jobharness.workload.trace import Arrival

__all__ = ["Heard", "listen"]

LOOK_EVERY_S = 0.2


@dataclass
class _Job:
    """What was heard of one job. Moments in seconds of wall-clock time."""

    task: str = ""
    sent_s: float | None = None
    received_s: float | None = None
    started_s: float | None = None
    run_time_s: float | None = None
    outcome: str = "unknown"
    args: str = ""
    kwargs: str = ""


@dataclass
class Heard:
    """What was heard. `events`: of tasks; `sent`: arrivals whose sending was heard, the others count from their receipt."""

    events: int = 0
    sent: int = 0
    cut: int = 0
    """Jobs whose arguments Celery had cut short, or that no literal of Python is: those are left out."""
    jobs: dict[str, _Job] = field(default_factory=dict)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in one event of a task, as the receiver gives it."""
        noun, _, verb = str(event.get("type", "")).partition("-")
        if noun != "task" or "uuid" not in event:
            return
        self.events += 1
        job = self.jobs.setdefault(event["uuid"], _Job())
        moment_s = float(event["timestamp"])
        if verb in ("sent", "received"):
            job.task = event.get("name") or job.task
            job.args, job.kwargs = str(event.get("args") or job.args), str(event.get("kwargs") or job.kwargs)
            attribute = f"{verb}_s"
            setattr(job, attribute, min(moment_s, getattr(job, attribute) or moment_s))
        elif verb == "started":
            job.started_s = moment_s
        elif verb == "succeeded":
            job.outcome, job.run_time_s = "finished", float(event["runtime"])
        elif verb in ("failed", "retried"):
            job.outcome = "dead" if verb == "failed" else "failed"
            if job.started_s is not None and job.run_time_s is None:
                job.run_time_s = max(0.0, moment_s - job.started_s)
        elif verb in ("revoked", "rejected"):
            job.outcome = "dead"

    def arrivals(self) -> list[Arrival]:
        """The jobs whose arrival was heard; those that were there before are not among them."""
        return [arrival for job in self.jobs.values() if (arrival := self._arrival(job)) is not None]

    def _arrival(self, job: _Job) -> Arrival | None:
        seen_s = job.sent_s if job.sent_s is not None else job.received_s
        if seen_s is None or not job.task:
            return None
        self.sent += job.sent_s is not None
        whole = not (job.args.endswith("...") or job.kwargs.endswith("..."))
        args, kwargs = _literal(job.args, ()), _literal(job.kwargs, {})
        if not whole or args is None or kwargs is None:
            self.cut += 1
            args, kwargs = (), {}
        size = len(job.args) + len(job.kwargs) if whole else None
        return Arrival(round(seen_s * NS_PER_S), job.task, job.run_time_s, size, job.outcome, list(args), kwargs)


def _literal(text: str, nothing: Any) -> Any:
    """The value that a text of Python is; None where it is none."""
    if not text:
        return nothing
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) is isinstance(nothing, dict) else None


def listen(url: str, for_s: float, *, enable: bool = False, ready: Callable[[], None] = lambda: None) -> Heard:
    """Listen to the workers of a broker for `for_s` seconds, or until KeyboardInterrupt, which ends the listening and no more.

    `enable`: ask every worker to send events from now on; `ready`: called once it listens.
    Raises: ExtraMissing; InvalidRequest for an address of no broker that Celery knows; BrokerFailed.
    """
    try:
        from celery import Celery
        from kombu.exceptions import KombuError
    except ImportError as error:
        raise ExtraMissing("celery", "celery", "recording Celery's events") from error
    app = Celery(broker=url, set_as_current=False)
    try:
        connection = app.connection_for_read()
        failures = (OSError, KombuError, *connection.connection_errors)
    except (KeyError, ImportError, ValueError) as error:
        raise InvalidRequest(f"{url!r} is no address of a broker that Celery knows: {error}") from error
    heard, shown = Heard(), connection.as_uri()
    try:
        with connection:
            connection.ensure_connection(max_retries=2, interval_start=0.2)
            _hear(app, connection, heard, time.monotonic() + for_s, enable, ready)
    except KeyboardInterrupt:
        pass
    except failures as error:
        raise BrokerFailed(f"the broker at {shown} does not answer: {error}") from error
    return heard


def _hear(app: Any, connection: Any, heard: Heard, until_s: float, enable: bool, ready: Callable[[], None]) -> None:
    receiver = app.events.Receiver(connection, handlers={"*": heard.hear})

    def look() -> None:
        receiver.should_stop = time.monotonic() > until_s

    def begin(*_: Any, **__: Any) -> None:
        if enable:
            app.control.enable_events()
        ready()

    receiver.on_iteration, receiver.on_consume_ready = look, begin
    for _ in receiver.consume(limit=None, safety_interval=LOOK_EVERY_S):
        pass
