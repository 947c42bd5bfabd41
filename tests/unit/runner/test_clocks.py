"""A clock that cannot be moved is refused when the scenario is loaded, with what would make it work."""

import mmap
from pathlib import Path

import pytest

from jobharness.agent.moved_clock import LAYOUT, SIZE
from jobharness.catalog import assemble
from jobharness.errors import InvalidRequest
from jobharness.faults.clock import MovedClock
from jobharness.runner import clocks
from jobharness.runner.clocks import ClockPlan, Clocks
from jobharness.scenario.load import scenario_from


def scenario(**fault):
    return scenario_from(
        {
            "title": "clock",
            "queue": {"adapter": "celery", "app": "shop:app", "workers": 2},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "shop.charge"}]},
            "fault": [{"kind": "clock", "at": "0s", **fault}],
        },
        "a test",
    )


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({}, "needs a jump"),
        ({"jump": "soon"}, "jump"),
        ({"drift": -1}, "drift is above -1"),
        ({"jump": "1h", "through": "magic"}, "freezegun, libfaketime"),
        ({"jump": "1h", "target": "worker-3"}, "worker-1, worker-2"),
    ],
)
def test_clock_fault_that_cannot_work_is_refused(fault, words, tmp_path):
    with pytest.raises(InvalidRequest, match=words):
        assemble(scenario(**fault), tmp_path)


def test_worker_that_is_no_python_needs_libfaketime(tmp_path, monkeypatch):
    worker = tmp_path / "worker"
    worker.write_text("#!/bin/sh\n")
    worker.chmod(0o755)
    with pytest.raises(InvalidRequest, match='through = "libfaketime"'):
        ClockPlan.through(["freezegun"], [str(worker)])
    monkeypatch.setattr(clocks, "LIBFAKETIME", (str(tmp_path / "lib*.so")[1:],))
    with pytest.raises(InvalidRequest, match="apt-get install faketime"):
        ClockPlan.through([""], [str(worker)])
    (tmp_path / "libfaketimeMT.so").touch()
    assert ClockPlan.through([""], [str(worker)]).library == tmp_path / "libfaketimeMT.so"


def test_script_of_python_needs_no_libfaketime(tmp_path):
    worker = tmp_path / "worker"
    worker.write_text("#!/usr/bin/env python3\n")
    worker.chmod(0o755)
    assert ClockPlan.through([""], [str(worker)]).library is None


def test_two_ways_in_one_run_are_refused():
    with pytest.raises(InvalidRequest, match="freezegun and libfaketime"):
        ClockPlan.through(["freezegun", "libfaketime"], ())


def test_moved_clock_is_where_the_worker_looks(tmp_path):
    moved = Clocks(ClockPlan(None), tmp_path / "clocks")
    env = moved.env_for("worker-1")
    with Path(env["JOBHARNESS_CLOCK"]).open("rb") as file, mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ) as shared:
        moved.move("worker-1", 1.5, "clock#1")
        assert LAYOUT.unpack(shared[:]) == (1_500_000_000, b"clock#1".ljust(56, b"\0"))
        moved.move("worker-1", 0, "")
        assert shared[:] == bytes(SIZE)


def test_libfaketime_is_told_the_offset(tmp_path):
    moved = Clocks(ClockPlan(tmp_path / "lib.so"), tmp_path / "clocks")
    env = moved.env_for("worker-1")
    moved.move("worker-1", -2, "clock#1")
    assert (tmp_path / "clocks" / "worker-1").read_text() == "-2.000000\n"
    assert env["LD_PRELOAD"] == str(tmp_path / "lib.so")


def test_fault_says_what_it_does_to_the_clock():
    assert MovedClock(jump="-5m").tells.startswith("a worker's clock was put back by 300 s")
    assert "let drift by +0.1 s a second" in MovedClock(drift=0.1, target="all").tells
