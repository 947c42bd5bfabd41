"""What is done on a stage, where what it is done to is gone."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from jobharness.errors import BrokerFailed, ProcessFailed
from jobharness.explore import stage as stages
from jobharness.explore.stage import Stage


@pytest.mark.parametrize("victim", ["tree", "main", "child"])
def test_worker_that_ended_by_itself_cannot_be_killed_and_that_is_said(victim):
    """It makes its own trial tell nothing, and leaves the map and its other trials alone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    stage = Stage.__new__(Stage)
    stage.fleet = SimpleNamespace(workers=[SimpleNamespace(process=SimpleNamespace(pid=process.pid))])
    with pytest.raises(ProcessFailed, match="gone before it could be killed"):
        stage.kill(victim)


JOB, NUDGE = "0b0c6a7e-4f0e-4a51-9f1c-0123456789ab", "1b0c6a7e-4f0e-4a51-9f1c-0123456789ab"


class Silent:
    """A proxy through which the dead worker has so many connections still."""

    def __init__(self, connections=0):
        self.connections = connections

    def peers(self, name):
        return {number: 40_000 + number for number in range(self.connections)}


class Names:
    """A broker that stores these."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def stored(self):
        return iter([one.encode() for one in self.pieces])


class Failing(Names):
    """It names the nudge, and fails at the second reading."""

    readings = 0

    def stored(self):
        self.readings += 1
        if self.readings == 2:
            raise BrokerFailed("the connection was lost")
        return super().stored()


def proven(broker, monkeypatch, wires=None, workers=1, peers=None, begun=1):
    """What a stage says that has lost its worker."""
    monkeypatch.setattr(stages, "SILENT_WITHIN_S", 0.05)
    stage = Stage.__new__(Stage)
    stage.wires = {"": Silent()} if wires is None else wires
    stage.fleet = SimpleNamespace(workers=[None] * workers)
    stage.peers = peers or {}
    stage.board = SimpleNamespace(begun=begun, acknowledged=1)
    stage.seen = SimpleNamespace(names=[JOB])
    stage.parts = SimpleNamespace(broker=broker)
    stage.phase = lambda name: None

    def nudge():
        stage.board.acknowledged = 2
        stage.seen.names.append(NUDGE)

    stage.nudge = nudge
    stage._read = lambda: None
    return stage.prove_loss()


def test_job_is_lost_where_the_broker_names_the_one_that_was_sent_after_it_and_not_it(monkeypatch):
    assert proven(Names("celery", NUDGE), monkeypatch)


@pytest.mark.parametrize(
    ("broker", "how"),
    [
        (Names("unacked", JOB, NUDGE), {}),
        (Names("compressed, so that nothing can be found there"), {}),
        (object(), {}),
        (Failing(NUDGE), {}),
        (Names(NUDGE), {"workers": 2}),
        (Names(NUDGE), {"peers": {"database": None}}),
        (Names(NUDGE), {"begun": 2}),
        (Names(NUDGE), {"wires": {"": Silent(1)}}),
        (Names(NUDGE), {"wires": {}}),
    ],
    ids=[
        "it is there",
        "hidden",
        "unreadable",
        "failing",
        "another worker",
        "a peer",
        "a child job",
        "still connected",
        "no proxy",
    ],
)
def test_job_is_not_taken_for_lost_where_somebody_may_have_it(monkeypatch, broker, how):
    assert not proven(broker, monkeypatch, **how)
