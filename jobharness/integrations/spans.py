"""Each job's life as spans, by OpenTelemetry's messaging conventions, so that a lost job can be looked at in any tracing UI.

A job is a trace: its trace id is the job's key. The root span is the job from its enqueue to its completion, and has, as
children, the send (PRODUCER) and each execution (CONSUMER); faults that hit it are events of the span that they cut off.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from jobharness.history.event import EXECUTION_ENDS, Kind
from jobharness.history.frame import History, Moment

__all__ = ["send_spans", "spans_of"]

BATCH = 2000
ERRORS = (Kind.JOB_FAILED, Kind.JOB_TIMED_OUT, Kind.JOB_DEAD)


def send_spans(history: History, about: Mapping[str, Any], endpoint: str) -> int:
    """Send every span of a run to an OTLP/HTTP endpoint, such as "http://127.0.0.1:4318/v1/traces". Returns how many.

    Raises: ConnectionError when the endpoint does not take them all; what it took, it has.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=10)
    sent = 0
    try:
        for batch in _batches(spans_of(history, about)):
            if exporter.export(batch) is not SpanExportResult.SUCCESS:
                raise ConnectionError(f"{endpoint} did not take the spans ({sent} were taken)")
            sent += len(batch)
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]  # their own annotation is missing
    return sent


def _batches(spans: Iterator[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    batch: list[ReadableSpan] = []
    for span in spans:
        batch.append(span)
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def spans_of(history: History, about: Mapping[str, Any]) -> Iterator[ReadableSpan]:
    """The spans of each job, its root first. `about`: the run's run.json; `epoch_ns` in the history's header dates them."""
    writer = _Writer(history, about)
    jobs = range(history.jobs.height)
    for start in range(0, len(jobs), BATCH):
        for job, life in history.lives_told(jobs[start : start + BATCH]).items():
            if life:
                yield from writer.life(job, life)


class _Writer:
    """Makes the spans of one run."""

    def __init__(self, history: History, about: Mapping[str, Any]) -> None:
        self._history = history
        # Moments are monotonic: one pair of clocks, read together, dates them all.
        self._epoch_ns = int(history.header.get("epoch_ns", 0))
        self._times = history.columns["time_ns"]
        queue, broker = about.get("scenario", {}).get("queue", {}), about.get("scenario", {}).get("broker", {})
        self._resource = Resource(
            {"service.name": f"jobharness.{queue.get('adapter', 'queue')}", "jobharness.run": str(about.get("run", ""))}
        )
        self._system = str(broker.get("kind", ""))
        self._next_id = 1

    def life(self, job: int, life: Sequence[Moment]) -> Iterator[ReadableSpan]:
        """The spans of one job."""
        task = self._history.task_of(job) or "job"
        key_hi, key_lo, _ = self._history.jobs.row(job)
        trace = key_hi << 64 | key_lo or 1
        common = {
            "messaging.system": self._system,
            "messaging.message.id": self._history.job_id(job),
            "messaging.destination.name": task,
        }
        root = self._context(trace)
        dead = [moment for moment in life if moment.kind is Kind.JOB_DEAD]
        done = any(moment.kind is Kind.JOB_FINISHED for moment in life)
        status = _status("" if done else dead[-1].text or "dead" if dead else "never completed")
        yield self._span(f"job {task}", root, None, SpanKind.INTERNAL, life, life[0], life[-1], common, status)
        yield from self._sends(task, life, root, common)
        yield from self._executions(task, life, root, common)

    def _sends(self, task: str, life: Sequence[Moment], root: SpanContext, common: Mapping[str, str]) -> Iterator[ReadableSpan]:
        begin = next((moment for moment in life if moment.kind is Kind.ENQUEUE_BEGIN), None)
        ends = (Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_REFUSED, Kind.ENQUEUE_UNKNOWN)
        end = next((moment for moment in life if moment.kind in ends), None)
        if begin is not None and end is not None:
            wrong = "" if end.kind is Kind.ENQUEUE_ACKNOWLEDGED else end.kind.name_
            attributes = {**common, "messaging.operation.name": "send", "messaging.operation.type": "send"}
            context = self._context(root.trace_id)
            yield self._span(f"send {task}", context, root, SpanKind.PRODUCER, (), begin, end, attributes, _status(wrong))

    def _executions(
        self, task: str, life: Sequence[Moment], root: SpanContext, common: Mapping[str, str]
    ) -> Iterator[ReadableSpan]:
        for place, begin in enumerate(life):
            if begin.kind is not Kind.JOB_RUNNING:
                continue
            after = life[place + 1 :]
            stop = next(
                (n for n, moment in enumerate(after) if moment.worker == begin.worker and moment.kind is Kind.JOB_RUNNING),
                len(after),
            )
            mine = [moment for moment in after[:stop] if moment.worker == begin.worker]
            end = next((moment for moment in mine if moment.kind in EXECUTION_ENDS), None)
            struck = [moment for moment in after[:stop] if moment.kind is Kind.FAULT_HIT]
            last = end or (struck[0] if struck else begin)
            wrong = "cut off" if end is None else "" if end.kind is Kind.JOB_FINISHED else end.text or end.kind.name_
            attributes: dict[str, str | int] = {
                **common,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.consumer.group.name": begin.worker,
                "jobharness.attempt": begin.attempt,
            }
            context = self._context(root.trace_id)
            yield self._span(f"process {task}", context, root, SpanKind.CONSUMER, struck, begin, last, attributes, _status(wrong))

    def _span(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        moments: Sequence[Moment],
        begin: Moment,
        end: Moment,
        attributes: Mapping[str, str | int],
        status: Status,
    ) -> ReadableSpan:
        events = [
            Event(moment.kind.name_, {"worker": moment.worker, "text": moment.text}, timestamp=self._dated(moment))
            for moment in moments
        ]
        return ReadableSpan(
            name=name,
            context=context,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            events=events,
            kind=kind,
            status=status,
            start_time=self._dated(begin),
            end_time=self._dated(end),
        )

    def _context(self, trace: int) -> SpanContext:
        self._next_id += 1
        return SpanContext(trace, self._next_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def _dated(self, moment: Moment) -> int:
        return self._epoch_ns + int(self._times[moment.row])


def _status(wrong: str) -> Status:
    return Status(StatusCode.ERROR, wrong) if wrong else Status(StatusCode.OK)
