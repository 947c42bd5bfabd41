"""The arithmetic that contracts share, on arrays of a few numbers."""

import numpy as np
import polars as pl
import pytest

from jobharness.contracts.evidence import (
    Waits,
    close_pairs,
    composite,
    in_order,
    is_first,
    lagged,
    ms,
    place_in_run,
    running_total,
    stable_order,
)
from jobharness.history import slices
from jobharness.history.columns import NEVER


def _ns(*numbers):
    return np.array(numbers, np.int64)


def test_milliseconds_are_whole():
    assert ms(_ns(0, 999_999, 1_000_000, 2_500_000_000)).tolist() == [0, 0, 1, 2500]


def test_a_wait_that_is_over_in_just_the_time_allowed_is_not_late():
    waits = Waits(
        np.array([True, True, True, False]),
        np.int64(1_000_000_000),
        _ns(3_000_000_000, 3_000_000_001, NEVER, NEVER).__getitem__,
        2.0,
    )
    assert waits.came(slice(None)).tolist() == [True, True, False, False]
    assert waits.late.tolist() == [1, 2]
    assert waits.never.tolist() == [False, True]
    assert waits.late_by_ns.tolist() == [2_000_000_001, NEVER]
    assert waits.longest_ms == 2000


def test_a_wait_since_a_moment_of_its_own_that_never_comes_is_late_however_late_it_began():
    waits = Waits(np.array([True, True]), _ns(NEVER - 1, 0), _ns(NEVER, 5).__getitem__, 2.0)
    assert (waits.late.tolist(), waits.never.tolist(), waits.longest_ms) == ([0], [True], 0)


def test_without_a_wait_the_longest_is_nothing():
    waits = Waits(np.array([False]), np.int64(0), _ns(7_000_000_000).__getitem__, 2.0)
    assert (waits.longest_ms, waits.late.tolist()) == (0, [])


@pytest.mark.parametrize(
    ("moments", "ties", "expected"),
    [
        ([1, 1, 2], [4, 5, 0], [(1, 4), (1, 5), (2, 0)]),
        ([1, 1, 2], [5, 4, 0], [(1, 4), (1, 5), (2, 0)]),
        ([2, 1, 1], [0, 5, 4], [(1, 4), (1, 5), (2, 0)]),
        ([1, 1], [4, 4], [(1, 4), (1, 4)]),
        ([], [], []),
    ],
)
def test_a_table_is_put_in_order_with_its_ties(moments, ties, expected):
    table = pl.DataFrame({"at": moments, "row": ties}, schema={"at": pl.Int64, "row": pl.Int64})
    assert in_order(table, "at", "row").rows() == expected


def test_a_table_that_is_in_order_is_not_copied():
    table = pl.DataFrame({"at": [1, 1, 2], "row": [4, 5, 0]})
    assert in_order(table, "at", "row") is table


def test_runs_of_equal_keys():
    first = is_first(_ns(3, 3, 7, 7, 7, 9))
    assert first.tolist() == [True, False, True, False, False, True]
    assert place_in_run(first).tolist() == [0, 1, 0, 1, 2, 0]
    assert running_total(_ns(5, -2, 4, 1, 1, 8), first).tolist() == [5, 3, 4, 5, 6, 8]
    assert is_first(_ns()).tolist() == place_in_run(is_first(_ns())).tolist() == []


@pytest.mark.parametrize("far", [5, NEVER - 10])
def test_composites_order_like_key_and_time_also_where_times_are_as_far_apart_as_can_be(far):
    """Two keys of 63 bits of time do not fit; ranks do."""
    key, begins, ends = np.array([0, 0, 1, 1], np.uint32), _ns(2, far, 0, far), _ns(far, far, 2, far)
    begin, end = composite(key, begins, ends)
    pairs = [*zip(key, begins, strict=True), *zip(key, ends, strict=True)]
    numbers = [*begin.tolist(), *end.tolist()]
    for one, pair in zip(numbers, pairs, strict=True):
        for other, rival in zip(numbers, pairs, strict=True):
            assert (one < other, one == other) == (pair < rival, pair == rival)


def test_composites_are_told_from_the_lowest_time_while_they_fit():
    assert [part.tolist() for part in composite(np.array([0, 1], np.uint32), _ns(7, 8), _ns(9, 10))] == [[0, 5], [2, 7]]
    assert [part.tolist() for part in composite(np.array([], np.uint32), _ns(), _ns())] == [[], []]


@pytest.mark.parametrize(("span", "apart"), [(2**62 - 1, 2**62 - 1), (2**62, 2)])
def test_two_keys_are_as_many_numbers_apart_as_there_are_times_if_that_fits_and_else_as_occur(span, apart):
    (numbers,) = composite(np.array([0, 0, 1], np.uint32), _ns(0, span - 1, 0))
    assert int(numbers[2]) == apart


def test_close_pairs_are_of_one_key_and_begin_before_the_other_is_over():
    """Of key 5: the second begins within the first, the third as it ends; of key 6 nothing overlaps."""
    one, other = close_pairs(_ns(5, 5, 5, 6, 6), _ns(0, 9, 10, 0, 20), _ns(10, 30, 11, 20, 21))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 1), (1, 2)]


def test_close_pairs_are_all_of_them():
    one, other = close_pairs(_ns(5, 5, 5), _ns(0, 1, 2), _ns(9, 9, 9))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]


def test_without_pairs_nothing_is_close():
    assert [places.tolist() for places in close_pairs(_ns(5, 6), _ns(0, 0), _ns(9, 9))] == [[], []]


def test_an_until_before_the_begin_is_close_to_nothing_and_takes_nothing_from_the_others():
    one, other = close_pairs(_ns(5, 5, 5), _ns(5, 6, 7), _ns(1, 8, 9))
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [(1, 2)]


@pytest.mark.parametrize("keys", [[2, 1, 2, 1], [2**16, 1, 2**16 + 1, 1, 2**16], [2**16, 0], [2**32 - 1, 2**16 - 1, 2**31], []])
def test_equal_keys_stay_as_they_stand(keys):
    order = stable_order(np.array(keys, np.uint32)).tolist()
    assert order == sorted(range(len(keys)), key=keys.__getitem__)


@pytest.mark.parametrize("lag", [0, 1, 2, 4, 11, 12, 13])
def test_each_place_is_set_beside_the_one_so_many_before_it(lag, monkeypatch):
    monkeypatch.setattr(slices, "SLICE", 5)
    order = np.array([7, 3, 9, 0, 1, 2, 11, 10, 4, 5, 6, 8], np.uint32)
    told = [
        (place, int(one), int(other))
        for places, later, earlier in lagged(order, lag)
        for place, one, other in zip(range(len(order))[places], later, earlier, strict=True)
    ]
    assert told == [(place, order[place], order[place - lag]) for place in range(lag, len(order))]
