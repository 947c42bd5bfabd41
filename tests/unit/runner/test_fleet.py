"""The workers of a run are started, watched and replaced as a process manager would."""

import signal

import pytest

from jobharness.agent.recorder import Recorder
from jobharness.clock import now_ns
from jobharness.errors import ProcessFailed
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.processes.process import wait_for
from jobharness.runner.fleet import Fleet, State

LIVES = "import time; time.sleep(60)"


@pytest.fixture
def make_fleet(make_parts, make_surroundings, folder):
    """A started fleet whose workers run the given code; ended at the end."""
    made = []

    def make(code=LIVES, **queue):
        parts, around = make_parts(code, **{"restart_delay": 0.0, **queue}), make_surroundings(code, **queue)
        recorder = Recorder(folder.records, "harness", "harness")
        fleet = Fleet(parts.scenario.queue, around, folder, recorder, folder.run_id)
        made.append(fleet)
        fleet.start()
        return fleet

    yield make
    for fleet in made:
        fleet.stop(grace_s=0)


def ready(worker, process=None, value=0, time_ns=None):
    pid = process if process is not None else worker.process.pid
    return News(time_ns or now_ns(), Kind.WORKER_READY, b"\0" * 16, value, 0, pid, "", "", worker.name, "worker")


def all_ready(fleet):
    fleet.see([ready(worker) for worker in fleet.workers])


def exited(fleet, worker):
    """Wait until the fleet has noticed that the worker is gone."""
    gone = []
    assert wait_for(lambda: bool(gone.extend(fleet.tend()) or gone), 10)
    assert gone == [worker]


def events(folder, kind):
    history = log.gather(folder.records, {})
    return [(history.text(row["text"]), row["value"]) for row in history.of(kind).collect().iter_rows(named=True)]


def test_fleet_is_whole_when_every_worker_has_said_that_it_is_ready(make_fleet):
    fleet = make_fleet(workers=2)
    assert [worker.name for worker in fleet.workers] == ["worker-1", "worker-2"] and not fleet.whole
    fleet.see([ready(fleet.workers[0])])
    assert not fleet.whole and fleet.ready_workers() == fleet.workers[:1]
    fleet.see([ready(fleet.workers[1])])
    assert fleet.whole


def test_worker_of_several_processes_is_ready_when_as_many_have_said_so(make_fleet):
    fleet = make_fleet()
    (worker,) = fleet.workers
    fleet.see([ready(worker, process=1, value=2), ready(worker, process=1, value=2)])
    assert not fleet.whole
    fleet.see([ready(worker, process=2, value=2)])
    assert fleet.whole


def test_readiness_of_a_predecessor_is_not_that_of_its_replacement(make_fleet):
    fleet = make_fleet()
    (worker,) = fleet.workers
    before = ready(worker)
    all_ready(fleet)
    worker.process.signal(signal.SIGKILL)
    exited(fleet, worker)
    assert wait_for(lambda: bool(fleet.tend() or worker.process), 10)
    fleet.see([before])
    assert worker.state is State.STARTING and not fleet.whole


@pytest.mark.parametrize(
    ("restart", "how", "again"),
    [
        ("always", signal.SIGKILL, True),
        ("always", signal.SIGTERM, True),
        ("on-failure", signal.SIGKILL, True),
        ("on-failure", signal.SIGTERM, False),
        ("never", signal.SIGKILL, False),
    ],
)
def test_worker_that_ended_is_replaced_as_the_policy_says(make_fleet, folder, restart, how, again):
    ends_well = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nprint('up', flush=True)\ntime.sleep(60)"
    )
    fleet = make_fleet(ends_well, restart=restart)
    (worker,) = fleet.workers
    first = worker.process
    assert wait_for(lambda: "up" in first.log_tail(), 10)
    all_ready(fleet)
    first.signal(how)
    exited(fleet, worker)
    code = -how if how is signal.SIGKILL else 0
    assert worker.exits == [code] and events(folder, Kind.WORKER_EXITED) == [("worker-1", code)]
    fleet.tend()
    assert (worker.process is not None) == again and fleet.whole != again
    assert len(events(folder, Kind.WORKER_STARTED)) == (2 if again else 1)


def test_replacement_waits_for_its_delay(make_fleet):
    fleet = make_fleet(restart_delay=3600.0)
    (worker,) = fleet.workers
    all_ready(fleet)
    worker.process.signal(signal.SIGKILL)
    exited(fleet, worker)
    assert fleet.tend() == [] and worker.process is None and not fleet.whole


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit(3)", "exited with code 3"), ("import os; os.kill(os.getpid(), 9)", "exited with code -9")],
)
def test_worker_that_exits_at_its_start_fails_the_run_with_its_last_lines(make_fleet, code, words):
    fleet = make_fleet(f"print('no such queue', flush=True)\n{code}")
    with pytest.raises(ProcessFailed, match=f"worker-1 {words} before it was ready\nIts last lines:\nno such queue"):
        wait_for(lambda: bool(fleet.tend()), 10)


def test_worker_that_never_becomes_ready_fails_the_run_with_its_last_lines(make_fleet):
    fleet = make_fleet("print('still connecting', flush=True)\nimport time; time.sleep(60)", ready_within=2.0)
    with pytest.raises(ProcessFailed, match=r"worker-1 was not ready within 2 s\nIts last lines:\nstill connecting"):
        wait_for(lambda: bool(fleet.tend()), 10)


def test_replacement_that_keeps_exiting_is_tried_again_until_its_time_is_over(make_fleet, tmp_path):
    """A process manager tries again; the run does not wait for ever."""
    once = tmp_path / "was here"
    code = f"import pathlib, sys, time\np = pathlib.Path({str(once)!r})\nif p.exists(): sys.exit(1)\np.touch()\ntime.sleep(60)"
    fleet = make_fleet(code, ready_within=2.0)
    (worker,) = fleet.workers
    assert wait_for(once.exists, 10)
    all_ready(fleet)
    worker.process.signal(signal.SIGKILL)
    with pytest.raises(ProcessFailed, match="was not ready within 2 s"):
        wait_for(lambda: bool(fleet.tend()) and False, 20)
    assert worker.exits[0] == -9 and worker.exits.count(1) > 1


def test_worker_that_was_told_to_stop_takes_no_jobs_and_is_not_whole(make_fleet):
    fleet = make_fleet(workers=2)
    all_ready(fleet)
    fleet.ending(fleet.workers[0])
    assert fleet.ready_workers() == fleet.workers[1:] and not fleet.whole


def test_stop_asks_all_at_once_and_kills_those_that_do_not_end(make_fleet, folder):
    fleet = make_fleet(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)", workers=2
    )
    assert wait_for(lambda: all("up" in worker.process.log_tail() for worker in fleet.workers), 10)
    fleet.stop(grace_s=0.1)
    assert events(folder, Kind.WORKER_EXITED) == [("worker-1", -9), ("worker-2", -9)]
    fleet.stop(grace_s=0.1)
    assert all(worker.process is None for worker in fleet.workers)


def test_nothing_is_replaced_while_the_run_stops(make_fleet):
    fleet = make_fleet()
    all_ready(fleet)
    fleet.stop(grace_s=1)
    assert fleet.tend() == [] and fleet.workers[0].process is None
