"""Traces: read, written, replayed, imported; and refused in one line."""

import json
from pathlib import Path
from random import Random

import pytest

from jobharness.errors import ScenarioInvalid
from jobharness.scenario.workload import WorkloadSpec
from jobharness.workload.plan import planned_jobs
from jobharness.workload.spans import spans_trace
from jobharness.workload.trace import Arrival, read_trace, replayed, trace_of, write_trace
from tests.histories import history

ARRIVALS = [
    Arrival(5_000_000_000, "shop.charge", 0.25, 100, "finished", [1], {"order": "x"}),
    Arrival(4_000_000_000, "shop.mail", None, None, "dead"),
    Arrival(6_000_000_000, "shop.charge", 0.5, None, "failed"),
]


@pytest.mark.parametrize("name", ["trace.csv", "trace.jsonl", "trace.parquet"])
def test_a_trace_comes_back_as_it_was_written(tmp_path, name):
    assert write_trace(ARRIVALS, tmp_path / name, arguments=True) == 3
    back = read_trace(tmp_path / name)
    assert [(one.at_ns, one.task, one.run_time_s, one.size_bytes, one.outcome) for one in back] == [
        (0, "shop.mail", None, None, "dead"),
        (1_000_000_000, "shop.charge", 0.25, 100, "finished"),
        (2_000_000_000, "shop.charge", 0.5, None, "failed"),
    ]
    assert back[1].kwargs == {"order": "x"}


def test_arguments_are_stripped_unless_asked_for(tmp_path):
    write_trace(ARRIVALS, tmp_path / "trace.jsonl")
    assert "order" not in (tmp_path / "trace.jsonl").read_text()


def test_replay_is_faster_and_larger_as_asked(tmp_path):
    write_trace(ARRIVALS, tmp_path / "trace.csv")
    moments = [one.at_ns for one in replayed(tmp_path / "trace.csv", 4, 2, 0, Random(1))]
    assert moments == [0, 0, 250_000_000, 250_000_000, 500_000_000, 500_000_000]
    assert len(list(replayed(tmp_path / "trace.csv", 1, 1, 1.5, Random(1)))) == 2


def test_half_a_job_for_each_is_every_second_one(tmp_path):
    write_trace([Arrival(n, "t") for n in range(2000)], tmp_path / "trace.parquet")
    assert 900 < len(list(replayed(tmp_path / "trace.parquet", 1, 0.5, 0, Random(1)))) < 1100


def test_a_plan_replays_a_trace_with_run_times_and_the_scenario_s_own_arguments(tmp_path):
    write_trace(ARRIVALS, tmp_path / "trace.jsonl", arguments=True)
    workload = WorkloadSpec(
        trace="trace.jsonl", run_time="seconds", job=[{"task": "shop.mail", "kwargs": {"to": "{faker.email}"}}]
    )
    mail, charge, again = planned_jobs(workload, 1, project=tmp_path)
    assert mail["task"] == "shop.mail"
    assert "@" in mail["kwargs"]["to"]
    assert charge["kwargs"] == {"order": "x", "seconds": 0.25}
    assert again["kwargs"] == {"seconds": 0.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("at_s,tsk\n0,a\n", "a trace has no such column; did you mean 'task'?"),
        ("at_s\n0\n", "task: the trace lacks this column"),
        ("at_s,task\nsoon,a\n", "row 1: is no row of a trace"),
        ("at_s,task\n", "is a trace without a job"),
    ],
)
def test_a_broken_trace_is_refused_in_one_line(tmp_path, text, words):
    (tmp_path / "trace.csv").write_text(text)
    with pytest.raises(ScenarioInvalid) as refused:
        read_trace(tmp_path / "trace.csv")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_history_becomes_a_trace():
    seen = history("""
        1.0  producer  enqueue.begin  a  task=shop.charge
        1.5  worker-1  job.running    a  task=shop.charge
        1.8  worker-1  job.failed     a
        2.0  worker-1  job.running    a  task=shop.charge
        2.1  worker-1  job.finished   a
        3.0  worker-2  job.received   b  task=shop.mail
    """)
    assert trace_of(seen) == [
        Arrival(1_000_000_000, "shop.charge", 0.3, outcome="finished"),
        Arrival(3_000_000_000, "shop.mail", None, outcome="unknown"),
    ]


def test_opentelemetry_spans_become_a_trace(tmp_path):
    spans = [
        {"spanId": "a", "kind": 4, "name": "send", "startTimeUnixNano": "1000", "endTimeUnixNano": "1100",
         "attributes": [{"key": "messaging.destination.name", "value": {"stringValue": "mail"}}]},
        {"spanId": "b", "parentSpanId": "a", "kind": "SPAN_KIND_CONSUMER", "name": "process", "startTimeUnixNano": "2000",
         "endTimeUnixNano": "500002000", "status": {"code": 2}},
    ]  # fmt: skip
    (tmp_path / "spans.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}, indent=1))
    assert spans_trace(tmp_path / "spans.json") == [Arrival(1000, "mail", 0.5, None, "failed")]
    (tmp_path / "empty.json").write_text("{}")
    with pytest.raises(ScenarioInvalid, match="no producer or consumer span"):
        spans_trace(tmp_path / "empty.json")


def test_spans_of_a_real_celery_become_a_trace():
    """As opentelemetry-instrumentation-celery 0.66b2 made them: a job that finished and one that failed."""
    finished, failed = spans_trace(Path(__file__).parent / "recorded" / "celery_spans.jsonl")
    assert (finished.task, finished.outcome, failed.task, failed.outcome) == ("shop.work", "finished", "shop.fail", "failed")
    assert finished.run_time_s == pytest.approx(0.05, abs=0.01)
    assert (failed.at_ns - finished.at_ns) / 1e9 == pytest.approx(0.668, abs=0.001)
