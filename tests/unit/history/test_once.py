"""What is kept is made once, whichever thread asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from jobharness.history.once import Once

PATIENCE_S = 20


def test_two_threads_that_ask_for_one_thing_get_the_same_which_is_made_once() -> None:
    once, begun, may_end = Once(), Event(), Event()
    made = []

    def make() -> object:
        made.append(object())
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return made[-1]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once, "same", make)
        assert begun.wait(PATIENCE_S)
        second = pool.submit(once, "same", make)
        may_end.set()
        assert first.result(PATIENCE_S) is second.result(PATIENCE_S)
    assert len(made) == 1


def test_different_things_are_made_at_the_same_time() -> None:
    once, together = Once(), Barrier(2, timeout=PATIENCE_S)
    with ThreadPoolExecutor(2) as pool:
        places = [pool.submit(once, name, together.wait) for name in ("one", "other")]
        assert sorted(place.result(PATIENCE_S) for place in places) == [0, 1]


def test_what_one_thing_is_made_of_may_be_kept_too() -> None:
    once = Once()
    assert once("sum", lambda: once("part", lambda: 20) + 1) == 21


def test_what_could_not_be_made_is_tried_again() -> None:
    once = Once()

    def fail() -> str:
        raise OSError

    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(once, "it", fail).exception(PATIENCE_S), OSError)
    assert once("it", lambda: "made") == "made"
