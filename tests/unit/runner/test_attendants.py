"""A producer that exits has either said that it is done, or is missed."""

from types import SimpleNamespace

import pytest

from jobharness.errors import ProcessFailed
from jobharness.history.event import Kind
from jobharness.runner.attendants import Attendant, Attendants

PID = 7


class Ending:
    """A process that exits as soon as somebody looks a second time."""

    def __init__(self):
        self.pid, self.looks = PID, 0

    @property
    def exit_code(self):
        self.looks += 1
        return 0 if self.looks > 1 else None

    def log_tail(self, lines=0):
        return ""


def _attendants(recorder):
    one = Attendant("producer", Ending, recorder, lambda code: False, 0, sends=True)
    one.start()
    return Attendants([one])


@pytest.fixture
def recorder():
    return SimpleNamespace(record=lambda *args, **kwargs: None, text=lambda words: 0)


def test_a_producer_that_said_it_was_done_just_before_its_exit_was_seen_is_not_missed(recorder):
    attendants = _attendants(recorder)

    def read():
        attendants.see([SimpleNamespace(kind=Kind.PRODUCER_DONE, process=PID)])

    attendants.tend(read)
    attendants.tend(read)
    assert attendants.done


def test_a_producer_that_exits_without_having_said_so_is_missed(recorder):
    attendants = _attendants(recorder)
    attendants.tend(lambda: None)
    with pytest.raises(ProcessFailed, match="producer ended with code 0 by itself"):
        attendants.tend(lambda: None)
