"""The life of each job as OTLP spans, taken by a real HTTP server and read with OpenTelemetry's own protobuf."""

import gzip

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from jobharness.integrations.inbox import Inbox
from jobharness.integrations.spans import send_spans
from jobharness.processes.ports import free_port
from tests.histories import history

ABOUT = {"run": "r1", "scenario": {"queue": {"adapter": "celery"}, "broker": {"kind": "redis"}}}


@pytest.fixture
def seen():
    seen = history("""
        1.000 producer enqueue.begin a task=charge
        1.002 producer enqueue.acknowledged a
        1.100 worker-1 job.running a attempt=1 task=charge
        1.150 harness fault.hit a text=kill value=1001
        2.000 worker-2 job.running a attempt=2 task=charge
        2.500 worker-2 job.finished a attempt=2
        1.010 producer enqueue.begin b task=charge
        1.012 producer enqueue.acknowledged b
    """)
    seen.header["epoch_ns"] = 1_700_000_000_000_000_000
    return seen


def spans_in(inbox):
    found = {}
    for post in inbox.take():
        body = gzip.decompress(post.body) if post.headers.get("content-encoding") == "gzip" else post.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found.setdefault(span.trace_id, []).append(span)
    return found


def test_a_life_is_a_trace_of_its_send_and_its_executions(seen):
    inbox = Inbox()
    try:
        sent = send_spans(seen, ABOUT, f"http://127.0.0.1:{inbox.port}/v1/traces")
        traces = spans_in(inbox)
    finally:
        inbox.close()
    assert sent == sum(map(len, traces.values())) == 6
    job_a, job_b = (traces[seen.jobs.row(n)[0].to_bytes(8, "big") + seen.jobs.row(n)[1].to_bytes(8, "big")] for n in (0, 1))
    assert [(span.name, span.kind) for span in job_a] == [
        ("job charge", Span.SPAN_KIND_INTERNAL),
        ("send charge", Span.SPAN_KIND_PRODUCER),
        ("process charge", Span.SPAN_KIND_CONSUMER),
        ("process charge", Span.SPAN_KIND_CONSUMER),
    ]
    root, send, cut_off, done = job_a
    assert all(span.parent_span_id == root.span_id for span in (send, cut_off, done))
    assert (cut_off.status.code, cut_off.status.message) == (Status.STATUS_CODE_ERROR, "cut off")
    assert [event.name for event in cut_off.events] == ["fault.hit"]
    assert done.status.code == Status.STATUS_CODE_OK
    assert done.end_time_unix_nano == 1_700_000_000_000_000_000 + 2_500_000_000
    attributes = {one.key: one.value.string_value or one.value.int_value for one in done.attributes}
    assert attributes["messaging.system"] == "redis"
    assert attributes["messaging.operation.type"] == "process"
    assert (attributes["messaging.consumer.group.name"], attributes["jobharness.attempt"]) == ("worker-2", 2)
    assert (job_b[0].status.code, job_b[0].status.message) == (Status.STATUS_CODE_ERROR, "never completed")


def test_an_endpoint_that_is_not_there_is_said(seen, caplog):
    address = f"http://127.0.0.1:{free_port()}/v1/traces"
    with pytest.raises(ConnectionError, match="did not take the spans"):
        send_spans(seen, ABOUT, address)
