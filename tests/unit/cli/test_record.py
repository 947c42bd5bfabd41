"""`jobharness record`: one clear line for what cannot be done, and nothing half written."""

import json

import pytest
from typer.testing import CliRunner

from jobharness.agent import events
from jobharness.agent.recorder import Recorder
from jobharness.cli.main import app
from jobharness.workload.trace import read_trace


@pytest.fixture
def record(tmp_path, monkeypatch):
    """Runs `jobharness record …` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["record", *words])


TABLE = "created,name,password,seconds\n2026-01-01T00:00:00,mail,x,0.5\n2026-01-01T00:00:02.5+00:00,mail,y,\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("celery", "redis://127.0.0.1:1/0", "--for", "1s"), "127.0.0.1:1/0 does not answer: Error 111"),
        (("celery", "nowhere://x", "--for", "1s"), "'nowhere://x' is no address of a broker that Celery knows"),
        (("celery", "redis://127.0.0.1:1/0", "--for", "soon"), "--for: 'soon' is not a duration"),
        (("celery", "redis://127.0.0.1:1/0", "--out", "trace.txt"), "it must end in .csv, .jsonl or .parquet"),
        (("celery", "redis://127.0.0.1:1/0", "--out", "absent/trace.csv"), "--out: there is no folder absent"),
        (("agent", "rqq", "--folder", "f"), "there is no queue called 'rqq'. Did you mean 'rq'?"),
        (("agent", "rq", "--folder", "f", "--ship", "nowhere"), "--ship: 'nowhere' is not HOST:PORT, such as 10.0.0.5:7070"),
        (("agent", "python", "--folder", "f"), "a queue of your own is recorded by a scenario"),
        (("gather", "."), "has no record files"),
        (("import", "absent.csv"), "there is no such file"),
        (("import", "table.csv"), "created: a trace has no such column"),
        (("import", "table.csv", "--column", "at_s"), "'at_s' is not OURS=THEIRS"),
        (("import", "table.csv", "--column", "at=created"), "at: a trace has no such column; did you mean 'at_s'?"),
        (("import", "table.csv", "--column", "at_s=made"), "made: the file has no such column (known: created, name"),
        (("import", "table.csv", "--column", "task=name"), "at_s: the trace lacks this column"),
        (("import", "table.csv", "--column", "at_s=name", "--column", "task=password"), "row 1: is no row of a trace"),
        (("import", "wide.csv"), "row 1: has more values than there are columns"),
        (("import", "latin.jsonl"), "line 1: is not JSON"),
        (("import", "empty.csv"), "has no rows"),
        (("import", "spans.json"), "has no producer or consumer span"),
        (("import", "spans.json", "--out", "t"), "is no name of a trace"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(record, tmp_path, words, said):
    files = {"table.csv": TABLE, "wide.csv": "at_s,task\n0,a,1\n", "empty.csv": "at_s,task\n", "spans.json": "{}"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.jsonl").write_bytes(b'{"task": "\xe9"}\n')
    before = set(tmp_path.iterdir())
    done = record(*words)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("listening", "left out"))]
    assert done.exit_code in (2, 3), done.output
    assert len(lines) == 1 and said in lines[0]
    assert set(tmp_path.iterdir()) == before


def test_a_table_becomes_a_trace_and_says_what_it_left_out(record, tmp_path):
    (tmp_path / "table.csv").write_text(TABLE)
    columns = [word for pair in ("at_s=created", "task=name", "run_time_s=seconds") for word in ("--column", pair)]
    done = record("import", "table.csv", *columns, "--out", "trace.parquet")
    assert (done.exit_code, done.stdout) == (0, "trace.parquet: 2 jobs in 2.5 s (2 mail)\n")
    assert done.stderr == "left out: password\n"
    assert [(one.at_ns, one.task, one.run_time_s) for one in read_trace(tmp_path / "trace.parquet")] == [
        (0, "mail", 0.5),
        (2_500_000_000, "mail", None),
    ]


def test_arguments_are_kept_only_when_asked_for_and_masked_then(record, tmp_path):
    row = {"at_s": 0, "task": "mail", "args": ["Bearer abcdefgh12345"], "kwargs": {"to": "a@b.c", "api_key": "k", "card": "42"}}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row) + "\n")
    assert record("import", "jobs.jsonl", "--out", "plain.csv").exit_code == 0
    assert record("import", "jobs.jsonl", "--out", "kept.csv", "--arguments", "--mask", "card").exit_code == 0
    assert "mail" in (tmp_path / "plain.csv").read_text() and "a@b.c" not in (tmp_path / "plain.csv").read_text()
    (kept,) = read_trace(tmp_path / "kept.csv")
    assert (kept.args, kept.kwargs) == (["Bearer ***"], {"to": "a@b.c", "api_key": "***", "card": "***"})


def test_spans_one_document_a_line_are_told_by_their_content(record, tmp_path):
    span = {"spanId": "a", "kind": 4, "name": "send mail", "startTimeUnixNano": "1000", "endTimeUnixNano": "1100"}
    (tmp_path / "spans.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    done = record("import", "spans.jsonl")
    assert (done.exit_code, done.stdout) == (0, "trace.jsonl: 1 jobs in 0.0 s (1 send mail)\n"), done.stderr


def test_the_agent_s_environment_is_what_a_shell_sets(record, tmp_path):
    done = record("agent", "rq", "--folder", "my records")
    assert done.exit_code == 0
    assert f"export JOBHARNESS_HISTORY='{tmp_path / 'my records'}'\n" in done.stdout
    assert "export JOBHARNESS_LIBRARY=rq\n" in done.stdout
    assert 'agent/path"${PYTHONPATH:+:$PYTHONPATH}"' in done.stdout
    assert (tmp_path / "my records").is_dir()
    assert "JOBHARNESS_SHIP" not in done.stdout


def test_the_agent_ships_to_a_collector_where_it_is_asked_to(record, tmp_path):
    done = record("agent", "rq", "--folder", "mine", "--ship", "10.0.0.5:7070", "--node", "web-1")
    assert {"export JOBHARNESS_SHIP=10.0.0.5:7070", "export JOBHARNESS_NODE=web-1"} <= set(done.stdout.splitlines())


def test_what_the_agent_recorded_is_gathered_while_its_process_lives(record, tmp_path):
    recorder = Recorder(tmp_path, "worker", "recorded")
    task = recorder.text("shop.mail")
    for kind in (events.ENQUEUE_BEGIN, events.JOB_RUNNING, events.JOB_FINISHED):
        recorder.record(kind, recorder.job("a")[0], task=task)
    done = record("gather", ".", "--out", "trace.jsonl")
    assert (done.exit_code, done.stdout) == (0, "trace.jsonl: 1 jobs in 0.0 s (1 shop.mail)\n"), done.stderr
    recorder.record(events.WORKER_READY)
    recorder.close()


def test_records_without_a_job_are_no_trace(record, tmp_path):
    recorder = Recorder(tmp_path, "worker", "recorded")
    recorder.record(events.WORKER_READY)
    recorder.close()
    done = record("gather", ".")
    assert done.exit_code == 2
    assert "holds 1 events and none of a job, so nothing was written" in done.stderr
