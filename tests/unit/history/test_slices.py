"""Reading and writing by slices gives what numpy gives at once, across the ends of slices too."""

from __future__ import annotations

import numpy as np
import pytest

from jobharness.history import slices

COUNTS = (0, 1, 6, 7, 8, 20)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE", 7)


@pytest.mark.parametrize("count", COUNTS)
def test_slices_cover_all_once(count: int) -> None:
    assert [place for some in slices.slices(count) for place in range(count)[some]] == list(range(count))


@pytest.mark.parametrize("count", COUNTS)
def test_values_are_taken_as_they_are_by_an_index(count: int) -> None:
    places = np.random.default_rng(count).integers(0, 50, count).astype(np.uint32)
    values = np.arange(50) * 3
    taken = slices.taken(values, places)
    assert taken.dtype == values.dtype
    assert taken.tolist() == values[places].tolist()


@pytest.mark.parametrize("count", COUNTS)
def test_of_several_writes_to_one_place_the_last_stays(count: int) -> None:
    random = np.random.default_rng(count)
    rows = random.permutation(20)[:count].astype(np.uint32)
    places, values = random.integers(0, 4, 20).astype(np.uint32), np.arange(20) * 3
    out, numbered = np.full(4, -1), np.full(4, -1)
    slices.place(out, places, rows, values)
    slices.place(numbered, places, rows)
    last = {int(places[row]): int(row) for row in rows}
    assert out.tolist() == [3 * last[place] if place in last else -1 for place in range(4)]
    assert numbered.tolist() == [last.get(place, -1) for place in range(4)]
