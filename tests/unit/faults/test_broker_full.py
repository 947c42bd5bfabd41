"""A broker that takes its time to be filled keeps nothing else waiting."""

from threading import Event
from types import SimpleNamespace

import pytest

from jobharness.errors import BrokerFailed
from jobharness.faults.aside import Aside
from jobharness.faults.broker_full import BrokerFull
from jobharness.processes.process import wait_for

WITHIN_S = 10


class SlowBroker:
    """Does as it is told once it is let to; remembers what it did."""

    pid = 7

    def __init__(self, error=None):
        self.let, self.done, self.error = Event(), [], error

    def fill(self):
        self.let.wait(WITHIN_S)
        if self.error is not None:
            raise self.error
        self.done.append("fill")

    def clear(self):
        self.done.append("clear")


@pytest.fixture
def broker():
    return SlowBroker()


def struck(broker):
    fault, scene = BrokerFull(), SimpleNamespace(broker=broker)
    assert [target.pid for target in fault.strike(scene, None)] == [7]
    return fault, scene


def test_strike_returns_while_the_broker_is_still_being_filled(broker):
    fault, scene = struck(broker)
    assert not fault.work(scene) and broker.done == []
    broker.let.set()
    assert wait_for(lambda: fault.work(scene), WITHIN_S)
    assert broker.done == ["fill"]


def test_undone_before_it_was_full_it_is_cleared_after_that_and_once(broker):
    fault, scene = struck(broker)
    fault.undo(scene)
    fault.undo(scene)
    assert not fault.healed(scene) and broker.done == []
    broker.let.set()
    assert wait_for(lambda: fault.healed(scene), WITHIN_S)
    assert broker.done == ["fill", "clear"]


def test_broker_that_would_not_be_filled_is_said_and_not_cleared():
    broker = SlowBroker(BrokerFailed("`rabbitmqctl` ended with code 69"))
    fault, scene = struck(broker)
    broker.let.set()
    with pytest.raises(BrokerFailed, match="ended with code 69"):
        wait_for(lambda: fault.work(scene), WITHIN_S)
    fault.undo(scene)
    assert wait_for(lambda: fault.healed(scene), WITHIN_S)
    assert broker.done == []


def test_undoing_what_never_struck_does_nothing(broker):
    fault, scene = BrokerFull(), SimpleNamespace(broker=broker)
    fault.undo(scene)
    assert fault.healed(scene) and broker.done == []


def test_act_that_is_over_says_so_every_time():
    aside = Aside(lambda: None)
    assert aside.is_done(WITHIN_S) and aside.is_done()
