"""A trace from OpenTelemetry spans as OTLP JSON (semantic conventions for messaging)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jobharness.clock import NS_PER_S
from jobharness.errors import ScenarioInvalid
from jobharness.workload.trace import Arrival

__all__ = ["spans_trace"]

PRODUCER, CONSUMER = (4, "SPAN_KIND_PRODUCER"), (5, "SPAN_KIND_CONSUMER")
ERROR = (2, "STATUS_CODE_ERROR")
# Attributes by which a span names its task and its size: today's names first, then those of older conventions.
TASK = ("celery.task_name", "messaging.message.task", "messaging.destination.name", "messaging.destination")
SIZE = ("messaging.message.body.size", "messaging.message.envelope.size", "messaging.message_payload_size_bytes")


def spans_trace(path: Path) -> list[Arrival]:
    """The arrivals in OpenTelemetry spans as OTLP JSON: a file of one document, or of one a line.

    A producer span is an arrival; the consumer span that has it as its parent, or links to it, gives run time and
    outcome. A consumer span without a producer is an arrival of its own. Raises: ScenarioInvalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip()]
        one_each = len(lines) > 1 and all(line.startswith("{") and line.rstrip().endswith("}") for line in lines)
        documents = [json.loads(line) for line in lines] if one_each else [json.loads(text)]
        spans = [span for document in documents for span in _spans(document)]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ScenarioInvalid(str(path), "", f"is not OTLP JSON: {error}") from error
    sent = {span["spanId"]: span for span in spans if span.get("kind") in PRODUCER}
    consumed = {_cause(span): span for span in spans if span.get("kind") in CONSUMER}
    found = [_of_span(span, consumed.get(number)) for number, span in sent.items()]
    found += [_of_span(span, span) for cause, span in consumed.items() if cause not in sent]
    if not found:
        raise ScenarioInvalid(str(path), "", "has no producer or consumer span")
    return sorted(found, key=lambda one: one.at_ns)


def _spans(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in document.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            yield from scope.get("spans", ())


def _cause(span: Mapping[str, Any]) -> str:
    links = [link["spanId"] for link in span.get("links", ())]
    return str(links[0] if links else span.get("parentSpanId") or span["spanId"])


def _of_span(span: Mapping[str, Any], work: Mapping[str, Any] | None) -> Arrival:
    attributes = {one["key"]: next(iter(one["value"].values()), None) for one in span.get("attributes", ())}
    task = next((attributes[key] for key in TASK if attributes.get(key)), span["name"])
    size = next((attributes[key] for key in SIZE if attributes.get(key) is not None), None)
    run_ns = int(work["endTimeUnixNano"]) - int(work["startTimeUnixNano"]) if work else None
    outcome = "unknown" if work is None else "failed" if work.get("status", {}).get("code") in ERROR else "finished"
    return Arrival(
        at_ns=int(span["startTimeUnixNano"]),
        task=str(task),
        run_time_s=run_ns / NS_PER_S if run_ns is not None else None,
        size_bytes=int(size) if size is not None else None,
        outcome=outcome,
    )
