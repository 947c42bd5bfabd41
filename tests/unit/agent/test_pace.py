"""The producer keeps its moments, with the priority that it can get."""

import os
import time

import pytest

from jobharness.agent import pace


def test_a_moment_is_kept_and_never_anticipated():
    for ahead_ns in (3_000_000, 50_000, 0, -5_000_000):
        due_ns = time.monotonic_ns() + ahead_ns
        pace.sleep_until(due_ns)
        assert time.monotonic_ns() >= due_ns


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the process asked of the system, which grants nothing where `asked["refuse"]`."""
    seen = {"refuse": False, "autogroup": tmp_path / "autogroup"}
    seen["autogroup"].write_text("0")

    def granted(name):
        def ask(*arguments):
            seen[name] = arguments
            if seen["refuse"]:
                raise PermissionError(1, "Operation not permitted")

        return ask

    monkeypatch.setattr(pace, "AUTOGROUP", str(seen["autogroup"]))
    monkeypatch.setattr(os, "sched_setscheduler", granted("class"))
    monkeypatch.setattr(os, "nice", granted("nice"))
    monkeypatch.setattr(pace.ctypes, "CDLL", lambda _: type("libc", (), {"prctl": staticmethod(granted("prctl"))}))
    return seen


def test_the_producer_goes_first_and_leaves_the_broker_its_time(asked):
    """Not in the real-time class: there it starved RabbitMQ, which then lost what it had not read."""
    pace.go_first()
    assert "class" not in asked
    assert asked["autogroup"].read_text() == "-15"
    assert asked["nice"] == (-15,)
    assert asked["prctl"][:2] == (29, 1)


def test_a_producer_that_may_not_go_first_sends_all_the_same(asked, monkeypatch):
    asked["refuse"] = True
    monkeypatch.setattr(pace, "AUTOGROUP", "/nowhere/autogroup")
    pace.go_first()
    assert "prctl" in asked
