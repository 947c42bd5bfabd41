"""Whom a fault strikes."""

from random import Random

import pytest

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Target, aim, checked_target
from jobharness.faults.kill import Kill
from jobharness.history.event import Kind
from jobharness.history.follow import News


class TwoWorkers:
    """A scene of two workers with two pool children each; remembers what was signalled."""

    def __init__(self, seed=1):
        self.random = Random(seed)
        self.signalled = []

    def workers(self):
        return [Target("worker-1", 10), Target("worker-2", 20)]

    def beside(self):
        return [Target("producer", 5), Target("scheduler-1", 6), Target("scheduler-2", 7)]

    def children(self, worker):
        first = 11 if worker == "worker-1" else 21
        return [Target(worker, first, True), Target(worker, first + 1, True)]

    def signal(self, target, number):
        self.signalled.append((target.pid, number))


def news(name, process):
    return News(1, Kind.JOB_RUNNING, b"k" * 16, 0, 1, process, "", "", name, "worker")


def test_event_aims_at_the_worker_in_which_it_happened():
    assert aim(TwoWorkers(), "worker", news("worker-2", 21)) == (Target("worker-2", 20),)


def test_event_aims_at_the_child_in_which_it_happened():
    assert aim(TwoWorkers(), "child", news("worker-2", 22)) == [Target("worker-2", 22, True)]


def test_child_that_is_gone_leaves_nobody_to_strike():
    assert not aim(TwoWorkers(), "child", news("worker-2", 99))


def test_worker_that_is_not_ready_leaves_nobody_to_strike():
    assert not aim(TwoWorkers(), "worker", news("worker-3", 30))


def test_event_of_nobody_among_the_workers_aims_at_any_of_them():
    assert {aim(TwoWorkers(seed), "worker", news("producer", 5))[0].pid for seed in range(20)} == {10, 20}


def test_tree_is_a_worker_with_its_pool_and_all_is_everybody():
    assert [target.pid for target in aim(TwoWorkers(), "tree", news("worker-1", 11))] == [10, 11, 12]
    assert [target.pid for target in aim(TwoWorkers(), "all", None)] == [10, 11, 12, 20, 21, 22]


@pytest.mark.parametrize("target", ["worker", "child"])
def test_moment_aims_by_the_seed(target):
    def pids(seed):
        scene = TwoWorkers(seed)
        return [aim(scene, target, None)[0].pid for _ in range(20)]

    assert pids(1) == pids(1) != pids(2)
    assert len(set(pids(1))) == (2 if target == "worker" else 4)


def test_producer_scheduler_and_names_are_found():
    def pids(target, cause=None, seed=1):
        return [one.pid for one in aim(TwoWorkers(seed), target, cause)]

    assert pids("producer") == [5] and pids("worker-2") == [20] and pids("scheduler-2") == [7] and pids("worker-9") == []
    assert {pids("scheduler", seed=seed)[0] for seed in range(20)} == {6, 7}
    assert pids("scheduler", News(1, Kind.SCHEDULE_TICK, b"k" * 16, 0, 1, 7, "", "", "scheduler-2", "scheduler")) == [7]


def test_unknown_target_is_refused():
    with pytest.raises(
        InvalidRequest,
        match="fault 'kill': target must be one of worker, child, tree, all, producer, scheduler, a name such as worker-1, or process:NAME, not 'wroker'",
    ):
        checked_target("kill", "wroker")


def test_kill_signals_whom_it_struck_with_sigkill():
    scene = TwoWorkers()
    assert Kill(target="child").strike(scene, news("worker-1", 12)) == [Target("worker-1", 12, True)]
    assert scene.signalled == [(12, 9)]
