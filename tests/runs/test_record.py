"""`jobharness record` on running systems, and what was recorded replayed against real workers, four times as fast."""

import importlib.util
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from jobharness.catalog import queue_kind
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.scenario.load import scenario_from
from jobharness.scenario.model import QueueSpec
from jobharness.workload.trace import read_trace
from tests.support.environments import environment, wanted
from tests.support.redis_server import redis_server

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
JOBHARNESS = Path(sys.executable).with_name("jobharness")
PAUSES = (0.0, 0.02, 0.3, 0.0, 0.15, 0.4, 0.05, 0.05, 0.2, 0.1)

CELERY_SENDS = f"""
import time, naps
naps.app.conf.task_send_sent_event = True
for pause in {PAUSES}:
    time.sleep(pause)
    naps.nap.delay(0.03)
naps.nap.delay("no number")
"""

# How each library's own code sends; `send(number)` is awaited where it is async.
SENDS = {
    "rq": ("queue", "send = lambda number: app.queue.enqueue(app.succeed, number)"),
    "dramatiq": ("broker", "send = lambda number: app.succeed.send(number)"),
    "huey": ("huey", "send = lambda number: app.succeed(number)"),
    "arq": (
        "WorkerSettings",
        "from arq import create_pool\npools = []\n"
        "async def send(number):\n"
        "    pools or pools.append(await create_pool(app.WorkerSettings.redis_settings))\n"
        "    await pools[0].enqueue_job('succeed', number)",
    ),
    "saq": ("settings", "send = lambda number: app.queue.enqueue('succeed', number=number)"),
}
SENDER = """
import asyncio, inspect, time
from scenarios.apps.conformance import {library} as app
{send}
async def main():
    for number, pause in enumerate({pauses}):
        time.sleep(pause)
        sent = send(number)
        if inspect.isawaitable(sent):
            await sent
asyncio.run(main())
"""


@pytest.fixture
def redis(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis"), free_port()) as url:
        yield url


@pytest.fixture
def started():
    """Starts processes that end with the test."""
    processes = []

    def start(command, **options):
        processes.append(subprocess.Popen(command, **options))
        return processes[-1]

    yield start
    for process in processes:
        # Dramatiq's workers outlive a main process that is killed.
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.communicate()


def _gaps_s(trace):
    return np.diff([one.at_ns for one in trace]) / 1e9


def test_celery_is_heard_and_replayed_four_times_as_fast(project, redis, started, scenario, run, tmp_path):
    env = {**os.environ, "CELERY_BROKER_URL": redis}
    worker = [sys.executable, "-m", "celery", "-A", "naps", "worker", "-P", "solo", "-E", "--loglevel", "INFO"]
    with (tmp_path / "worker.log").open("w") as log:
        own_worker = started(worker, cwd=project, env=env, stdout=log, stderr=subprocess.STDOUT)
    assert wait_for(lambda: "ready." in (tmp_path / "worker.log").read_text(), 30)
    command = [JOBHARNESS, "record", "celery", redis, "--for", "8s", "--out", "trace.jsonl", "--arguments"]
    recorder = started(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert recorder.stderr.readline().startswith("listening")
    sender = started([sys.executable, "-c", CELERY_SENDS], cwd=project, env=env)
    assert sender.wait(30) == 0
    said, warned = recorder.communicate(timeout=60)
    assert (recorder.returncode, warned) == (0, ""), warned
    assert "trace.jsonl: 11 jobs in" in said

    trace = read_trace(project / "trace.jsonl")
    assert _gaps_s(trace)[:9] == pytest.approx(PAUSES[1:], abs=0.1)
    assert [one.outcome for one in trace] == ["finished"] * 10 + ["dead"]
    assert all(0.03 <= one.run_time_s < 1 for one in trace[:10])
    assert (trace[0].task, trace[0].args, trace[-1].args) == ("naps.nap", [0.03], ["no number"])

    own_worker.kill()
    own_worker.wait()
    replay = scenario("replayed", contract={}).model_dump(exclude_unset=True)
    replay["workload"] = {"trace": "trace.jsonl", "speed": 4.0, "job": [{"task": "naps.nap"}], "run_time": "seconds"}
    result = run(type(scenario()).model_validate(replay))
    _assert_replayed_four_times_as_fast(result.history, trace)
    # The task slept for as long as it had taken, which its own nap was part of.
    assert result.metrics["run_time.p50"].value >= 0.03
    assert result.metrics["jobs.completed"].value == 11


@pytest.mark.parametrize("library", SENDS)
def test_the_agent_records_processes_of_the_user_s_own(library, redis, started, tmp_path):
    attribute, send = SENDS[library]
    dot = "." if library in ("arq", "saq", "huey") else ":"
    subject = _subject(library)
    interpreter, requirements = wanted(subject, "NEWEST", "redis")
    venv = environment(*requirements, python=interpreter)
    folder = tmp_path / "records"
    exports = _record("agent", library, "--folder", str(folder), cwd=tmp_path).stdout
    env = {**os.environ, "BROKER_URL": redis, "RQ_REDIS_URL": redis, "PYTHONPATH": str(ROOT), "dramatiq_prom_host": "127.0.0.1"}
    as_set = 'eval "$EXPORTS"; exec "$@"'

    def own(*command):
        return started(["bash", "-c", as_set, "own", *command], cwd=ROOT, env={**env, "EXPORTS": exports})

    app = f"scenarios.apps.conformance.{library}{dot}{attribute}"
    own(*queue_kind(library)(QueueSpec(adapter=library, app=app)).worker_command(venv / "bin" / "python", "worker"))
    code = SENDER.format(library=library, send=send, pauses=PAUSES)
    assert own(str(venv / "bin" / "python"), "-c", code).wait(60) == 0
    trace = _await_finished(folder, tmp_path / "trace.csv", len(PAUSES))
    # A pause is never shorter than it was; a busy machine stretches one or the other.
    stretched_s = _gaps_s(trace) - np.array(PAUSES[1:])
    assert min(stretched_s) > -0.02 and np.median(stretched_s) < 0.15
    assert {one.task.rpartition(".")[2] for one in trace} == {"succeed"}
    assert all(one.run_time_s is not None and one.run_time_s < 1 for one in trace)
    if library == "rq":
        plain = {
            "title": "replayed",
            "queue": {"adapter": "rq", "app": app, "env": {"RQ_REDIS_URL": "{broker.url}"}, "python": str(venv)},
            "broker": {"kind": "redis"},
            "workload": {"trace": str(tmp_path / "trace.csv"), "speed": 4.0, "job": [{"task": trace[0].task, "args": [1]}]},
        }
        result = Harness(ROOT, reports=tmp_path / "reports").run(scenario_from(plain, "a test"))
        _assert_replayed_four_times_as_fast(result.history, trace)
        assert result.metrics["jobs.completed"].value == len(PAUSES)


def _assert_replayed_four_times_as_fast(history, trace):
    columns = history.columns
    rows = columns.rows(Kind.ENQUEUE_BEGIN)
    assert len(rows) == len(trace)
    assert np.diff(np.sort(columns["value"][rows]) / 1e9) == pytest.approx(_gaps_s(trace) / 4, abs=1e-6)
    assert np.diff(np.sort(columns["time_ns"][rows]) / 1e9) == pytest.approx(_gaps_s(trace) / 4, abs=0.2)


def _await_finished(folder, out, jobs):
    """Gathers while the processes go on, until every job is seen to have finished."""
    limit_s = time.monotonic() + 60
    while True:
        done = _record("gather", str(folder), "--out", str(out), cwd=folder.parent, check=False)
        trace = read_trace(out) if done.returncode == 0 else []
        if [one.outcome for one in trace] == ["finished"] * jobs:
            return trace
        assert time.monotonic() < limit_s, (done.stderr, trace)
        time.sleep(0.2)


def _record(*arguments, cwd, check=True):
    done = subprocess.run([JOBHARNESS, "record", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def _subject(library):
    path = ROOT / "tests" / "conformance" / "subjects" / f"{library}.py"
    spec = importlib.util.spec_from_file_location(f"subject_{library}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
