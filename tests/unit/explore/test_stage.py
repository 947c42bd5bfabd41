"""What is done on a stage, where what it is done to is gone."""

import subprocess
import sys
from threading import Event
from types import SimpleNamespace

import pytest

from jobharness.errors import BrokerFailed, EnvironmentFailed, ProcessFailed
from jobharness.explore import stage as stages
from jobharness.explore.seen import Seen
from jobharness.explore.stage import Stage
from jobharness.history.event import Kind
from jobharness.history.follow import News

LONG_S = 60.0


@pytest.mark.parametrize("victim", ["tree", "main", "child"])
def test_worker_that_ended_by_itself_cannot_be_killed_and_that_is_said(victim):
    """It makes its own trial tell nothing, and leaves the map and its other trials alone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    stage = Stage.__new__(Stage)
    stage.fleet = SimpleNamespace(workers=[SimpleNamespace(process=SimpleNamespace(pid=process.pid))])
    with pytest.raises(ProcessFailed, match="gone before it could be killed"):
        stage.kill(victim)


def test_what_is_waited_for_is_given_up_when_all_is_off():
    stage = Stage.__new__(Stage)
    stage.setting = SimpleNamespace(off=Event())
    with pytest.raises(EnvironmentFailed, match="called off"):
        stage.until(stage.setting.off.set, LONG_S)


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


def proven(broker, monkeypatch, wires=None, workers=1, peers=None, begun=1, links=()):
    """What a stage says that has lost its worker."""
    monkeypatch.setattr(stages, "SILENT_WITHIN_S", 0.05)
    stage = Stage.__new__(Stage)
    stage.wires = {"": Silent()} if wires is None else wires
    stage.fleet = SimpleNamespace(workers=[None] * workers)
    stage.peers = peers or {}
    stage.board = SimpleNamespace(begun=begun, acknowledged=1)
    stage.seen = Seen(names=[JOB], links=list(links))
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
        (Names(NUDGE), {"links": [b"1" * 16, b"2" * 16]}),
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
        "a chain",
        "still connected",
        "no proxy",
    ],
)
def test_job_is_not_taken_for_lost_where_somebody_may_have_it(monkeypatch, broker, how):
    assert not proven(broker, monkeypatch, **how)


def news(kind, key, text="", role="producer"):
    return News(1, kind, key, 0, 1, 7, "shop.charge", text, "producer-1" if role == "producer" else "worker-1", role)


def test_chain_has_ended_when_all_its_jobs_have_and_the_nudge_is_none_of_them():
    seen, stage = Seen(), Stage.__new__(Stage)
    stage.seen = seen
    a, b, nudge = (bytes([number]) * 16 for number in (1, 2, 3))
    seen.see([news(Kind.ENQUEUE_LINKED, a, "first"), news(Kind.ENQUEUE_LINKED, b, "first"), news(Kind.ENQUEUE_BEGIN, a, "first")])
    assert (seen.keys, list(seen.whole), seen.names) == ([a], [a, b], ["first"])
    seen.see([news(Kind.JOB_FINISHED, a, role="worker")])
    assert not stage.ended()
    seen.see([news(Kind.ENQUEUE_BEGIN, b, role="worker"), news(Kind.JOB_RUNNING, b, role="worker")])
    seen.see([news(Kind.JOB_FINISHED, b, role="worker")])
    assert stage.ended() and not stage.ended(1) and seen.runner == 7
    seen.see([news(Kind.ENQUEUE_BEGIN, nudge, "second"), news(Kind.JOB_FINISHED, nudge, role="worker")])
    assert stage.ended(1) and seen.keys == [a, nudge] and list(seen.whole) == [a, b]


def test_nothing_has_ended_before_anything_was_sent():
    stage = Stage.__new__(Stage)
    stage.seen = Seen()
    assert not stage.ended()
