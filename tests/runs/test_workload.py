"""What a workload says reaches the tasks; what it cannot say is refused before anything is left behind."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jobharness.contracts.contract import Word
from jobharness.history.event import Kind
from tests.support.leftovers import leftovers
from tests.support.require import missing

pytestmark = pytest.mark.real


def test_run_times_and_sizes_by_distribution_reach_the_tasks(run, scenario, project):
    (project / "sized.py").write_text(
        "import os, time\nfrom naps import app\n\n\n@app.task\ndef work(seconds, body, log):\n    time.sleep(seconds)\n"
        "    with open(log, 'a') as out:\n        out.write(f'{len(body)}\\n')\n"
    )
    job = {
        "task": "sized.work",
        "kwargs": {
            "seconds": "{empirical:values=0.01|0.01|0.15}",
            "body": "{payload:of=pareto,low=100,alpha=1.5,most=5000}",
            "log": str(project / "sizes"),
        },
    }
    result = run(scenario("sizes", queue={"app": "sized:app"}, workload={"job": [job], "duration": "2s"}))
    plan = [json.loads(line)["kwargs"] for line in (result.folder / "plan.jsonl").read_text().splitlines()[1:]]
    assert [int(line) for line in (project / "sizes").read_text().split()] == [len(one["body"]) for one in plan]
    executions = result.history.executions
    took_s = (executions.end_ns - executions.begin_ns) / 1e9
    wanted_s = np.array([one["seconds"] for one in plan])
    assert set(wanted_s) == {0.01, 0.15}
    assert (took_s >= wanted_s).all()
    assert np.median(took_s - wanted_s) < 0.05
    rows = result.history.columns.rows(Kind.ENQUEUE_BEGIN)
    assert len(rows) == len(plan) == 40


def test_a_closed_loop_never_has_more_in_flight_than_it_may(run, scenario):
    closed = {"arrivals": {"process": "closed", "jobs": 30, "in_flight": 3}}
    result = run(scenario("closed", queue={"pool": "threads", "concurrency": 8}, workload=closed))
    columns, tally = result.history.columns, result.history.tally
    assert tally.count(Kind.JOB_FINISHED).tolist() == [1] * 30
    sent_ns, done_ns = tally.first_ns(Kind.ENQUEUE_BEGIN), tally.first_ns(Kind.JOB_FINISHED)
    open_jobs = [int(((sent_ns <= at) & (done_ns > at)).sum()) for at in sent_ns]
    assert max(open_jobs) == 3
    assert len(columns.rows(Kind.PRODUCER_LATE)) == 0


def test_a_run_whose_producer_is_held_up_by_its_broker_is_marked(run, scenario):
    slow = {"kind": "latency", "at": "0s", "by": "100ms", "target": "producer"}
    result = run(scenario("held up", fault=[slow], gate={"latency.p95": {"max": "10ms"}}))
    assert result.metrics["producer.off_schedule"].value > 0.5
    (crossing,) = result.crossings
    assert crossing.word == "unknown"
    assert "the producer did not keep its schedule" in crossing.sentence
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "<b>Marked.</b> The producer did not keep its schedule" in page


@pytest.mark.parametrize(
    ("name", "text", "workload", "words"),
    [
        ("t.csv", "at_s,tsk\n0,naps.nap\n", {"trace": "t.csv"}, "tsk: a trace has no such column; did you mean 'task'?"),
        ("t.csv", "at_s,task\n0,naps.snore\n", {"trace": "t.csv"}, "there is no task of naps:app called 'naps.snore'"),
        (
            "r.jsonl",
            '{"s": 0}\nno\n',
            {"job": [{"task": "naps.nap", "rows": "r.jsonl", "args": ["{row.s}"]}]},
            "r.jsonl: line 2: is not JSON",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_leaves_no_run(name, text, workload, words, project, scenario, written):
    (project / name).write_text(text)
    plain = scenario("bad").model_dump(exclude_unset=True)
    plain["workload"] = workload if "trace" in workload else {**plain["workload"], **workload}
    file = written(type(scenario()).model_validate(plain))
    script = Path(sys.executable).with_name("jobharness")
    done = subprocess.run([script, "run", file], cwd=project, capture_output=True, text=True, timeout=120, check=False)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "error: " in line]
    assert (done.returncode, len(errors)) == (2, 1)
    assert words in errors[0]
    assert not list(project.glob("reports/*/*"))
    assert leftovers(str(project)) == []


def test_a_producer_takes_its_leave_of_rabbitmq_which_throws_away_the_last_words_of_one_that_breaks_off(run, scenario):
    if shutil.which("rabbitmq-server") is None and not Path("/usr/sbin/rabbitmq-server").exists():
        missing("RabbitMQ is not on this machine")
    backlog = {"arrivals": {"process": "backlog", "jobs": 500}, "job": [{"task": "naps.nap", "args": [0]}]}
    result = run(scenario("leave", broker={"kind": "rabbitmq"}, workload=backlog))
    assert result.verdict["at_least_once"].word is Word.HOLDS
    log = (result.folder / "logs" / "broker.log").read_text(encoding="utf-8")
    assert "accepting AMQP connection" in log
    assert "client unexpectedly closed TCP connection" not in log
