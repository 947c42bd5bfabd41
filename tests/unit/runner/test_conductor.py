"""The faults strike when their triggers say so; what each hit is recorded, and everything is undone."""

from random import Random
from types import SimpleNamespace

import pytest

from jobharness.agent.recorder import Recorder
from jobharness.clock import now_ns
from jobharness.faults.fault import EVERYONE, Target
from jobharness.faults.trigger import Trigger
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.runner.board import Board
from jobharness.runner.conductor import Conductor
from jobharness.runner.parts import ArmedFault
from jobharness.scenario.model import FaultSpec

A, B = b"a" * 16, b"b" * 16


class Noted:
    """A fault that strikes given targets and notes what is asked of it."""

    kind = "noted"

    def __init__(self, *targets, lasting=False):
        self.targets, self.lasting = targets, lasting
        self.struck_by, self.undone = [], 0

    def strike(self, scene, news):
        self.struck_by.append(news)
        return self.targets

    def undo(self, scene):
        self.undone += 1


def news(kind, key=A, worker="worker-1", process=11):
    return News(now_ns(), kind, key, 0, 1, process, "", "", worker, "worker")


@pytest.fixture
def stage(tmp_path):
    """A conductor of given faults with a board, a fleet that is whole or not, and what was recorded."""

    def make(*faults, lasts_s=None, **spec):
        spec = spec or {"on": "job.running"}
        armed = [
            ArmedFault(f"noted#{n + 1}", fault, Trigger(FaultSpec(kind="noted", **spec), Random(1)), lasts_s)
            for n, fault in enumerate(faults)
        ]
        board, fleet = Board(), SimpleNamespace(whole=True)
        conductor = Conductor(
            armed, {one.label: None for one in armed}, lambda: fleet.whole, board, Recorder(tmp_path, "harness", "harness")
        )
        conductor.start(now_ns())

        def see(*some):
            board.see(some)
            conductor.see(some)

        def turn():
            if conductor.act():
                conductor.account()
            conductor.tend()

        def recorded():
            history = log.gather(tmp_path, {})
            rows = history.events.select("kind", "job", "value", "text").iter_rows()
            return [
                (Kind(kind).name_, None if job is None else history.job_id(job)[:8], value, history.text(text))
                for kind, job, value, text in rows
            ]

        return SimpleNamespace(conductor=conductor, board=board, fleet=fleet, see=see, turn=turn, recorded=recorded)

    return make


def key(letter):
    return letter.encode().hex() * 4


def test_strike_records_its_number_and_every_job_in_flight_where_it_struck(stage):
    fault = Noted(Target("worker-1", 10))
    scene = stage(fault)
    cause = news(Kind.JOB_RUNNING)
    scene.see(news(Kind.JOB_RECEIVED, B, process=10), news(Kind.JOB_RUNNING, b"c" * 16, worker="worker-2"), cause)
    scene.turn()
    assert scene.conductor.strikes == 1
    assert scene.recorded() == [
        ("fault.begin", None, 1, "noted#1"),
        ("fault.hit", key("b"), 10, "noted#1"),
        ("fault.hit", key("a"), 10, "noted#1"),
        ("fault.end", None, 0, "noted#1"),
    ]


def test_strike_at_a_child_hits_only_what_the_child_runs(stage):
    scene = stage(Noted(Target("worker-1", 12, child=True)))
    scene.see(news(Kind.JOB_RUNNING, A, process=11), news(Kind.JOB_RUNNING, B, process=12))
    scene.turn()
    assert [job for kind, job, *_ in scene.recorded() if kind == "fault.hit"] == [key("b")]


def test_strike_at_an_idle_worker_is_recorded_as_a_hit_without_a_job(stage):
    scene = stage(Noted(Target("worker-2", 20)))
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert ("fault.hit", None, 20, "noted#1") in scene.recorded()


def test_strike_at_everyone_hits_every_job_once(stage):
    scene = stage(Noted(EVERYONE, Target("worker-1", 10)))
    scene.see(news(Kind.JOB_RUNNING, A), news(Kind.JOB_RUNNING, B, worker="worker-2"))
    scene.turn()
    assert sorted(job for kind, job, *_ in scene.recorded() if kind == "fault.hit") == [key("a"), key("b")]


def test_what_the_victim_recorded_up_to_its_end_is_accounted_for(stage):
    """A job that finished just before the signal was not in flight; one that had just begun was."""
    scene = stage(Noted(Target("worker-1", 10)))
    scene.see(news(Kind.JOB_RUNNING, A))
    assert scene.conductor.act()
    scene.see(news(Kind.JOB_FINISHED, A), news(Kind.JOB_RUNNING, B))
    scene.conductor.account()
    assert [job for kind, job, *_ in scene.recorded() if kind == "fault.hit"] == [key("b")]


def test_fault_with_nobody_to_strike_leaves_no_trace_and_waits(stage):
    fault = Noted()
    scene = stage(fault)
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert scene.recorded() == [] and scene.conductor.strikes == 0
    fault.targets = (Target("worker-1", 10),)
    scene.turn()
    assert scene.conductor.strikes == 0
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert scene.conductor.strikes == 1


def test_fault_strikes_again_only_when_what_it_broke_is_whole(stage):
    fault = Noted(Target("worker-1", 10))
    scene = stage(fault, on="job.running", times=3)
    scene.fleet.whole = False
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert len(fault.struck_by) == 1 and not scene.conductor.healed
    scene.fleet.whole = True
    scene.turn()
    assert scene.conductor.healed
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert len(fault.struck_by) == 2


def test_fault_that_lasts_hits_what_is_taken_while_it_is_open_and_is_undone_by_healing(stage):
    fault = Noted(Target("worker-1", 10), lasting=True)
    scene = stage(fault)
    scene.see(news(Kind.JOB_RUNNING, A))
    scene.turn()
    scene.see(news(Kind.JOB_RUNNING, B))
    assert fault.undone == 0 and not scene.conductor.healed
    scene.conductor.heal()
    assert fault.undone == 1
    scene.see(news(Kind.JOB_RUNNING, b"c" * 16))
    scene.turn()
    assert scene.conductor.healed
    assert [job for kind, job, *_ in scene.recorded() if kind == "fault.hit"] == [key("a"), key("b")]


def test_fault_with_a_given_time_is_undone_when_it_is_over(stage):
    fault = Noted(Target("worker-1", 10), lasting=True)
    scene = stage(fault, lasts_s=0.0)
    scene.see(news(Kind.JOB_RUNNING))
    scene.turn()
    assert fault.undone == 1 and scene.conductor.healed


def test_every_fault_is_undone_on_the_way_out_whether_it_struck_or_not(stage):
    one, two = Noted(Target("worker-1", 10), lasting=True), Noted(lasting=True)
    scene = stage(one, two)
    scene.conductor.undo_all()
    scene.conductor.undo_all()
    assert (one.undone, two.undone) == (2, 2)
