"""Nothing is read: what the app writes until it is answered is one write, and no byte is kept back."""

from hypothesis import given
from hypothesis import strategies as st

from jobharness.wire.match import Match
from jobharness.wire.message import Direction
from jobharness.wire.writes import Writes

OUT, BACK = Direction.TO_BROKER, Direction.FROM_BROKER


def commands(*pieces):
    framing = Writes()
    found = [message for direction, data in pieces for message in framing.feed(direction, data)]
    return [(message.command, message.number, message.of) for message in found]


def test_write_goes_on_until_it_is_answered():
    assert commands((OUT, b"a"), (OUT, b"b"), (BACK, b"1"), (BACK, b"2"), (OUT, b"c")) == [
        ("write", 1, 0),
        ("more", 0, 0),
        ("write", 0, 1),
        ("write", 0, 1),
        ("write", 2, 0),
    ]


def test_server_that_speaks_first_answers_nothing():
    assert commands((BACK, b"hello"), (OUT, b"a")) == [("write", 0, 0), ("write", 1, 0)]


@given(st.lists(st.tuples(st.sampled_from(Direction), st.binary(min_size=1)), max_size=20))
def test_nothing_is_changed_or_held_back(pieces):
    framing = Writes()
    for direction, data in pieces:
        assert b"".join(message.raw for message in framing.feed(direction, data)) == data
        assert (framing.rest(direction), framing.lost) == (b"", "")


def test_write_of_a_size_that_idle_workers_write_is_not_meant():
    meant = Match.of({"command": "write", "unlike": [3]})
    framing = Writes()
    idle, other = (framing.feed(OUT, data)[0] for data in (b"abc", b"abcd") if framing.feed(BACK, b"x"))
    assert (meant.fits(idle, "worker-1"), meant.fits(other, "worker-1")) == (False, True)
