"""Reads from and writes to large arrays at places given by small numbers, a slice at a time.

numpy turns row numbers of 32 bits into 64 bits before it uses them, all at once: at ten million rows 80 MB of new memory, which
costs more time than the reading. A slice of them stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["place", "slices", "taken"]

SLICE = 2**16

Scalar = TypeVar("Scalar", bound=np.generic)


def slices(count: int) -> Iterator[slice]:
    """0 up to `count`, so many at a time."""
    return (slice(start, min(start + SLICE, count)) for start in range(0, count, SLICE))


def taken(values: npt.NDArray[Scalar], places: npt.NDArray[Any], out: npt.NDArray[Scalar] | None = None) -> npt.NDArray[Scalar]:
    """The values at these places: `values[places]`, put into the beginning of `out` where it is given; for a place past the end,
    the last value."""
    out = np.empty(len(places), values.dtype) if out is None else out[: len(places)]
    for some in slices(len(places)):
        _take(values, places[some], out[some])
    return out


def place(
    out: npt.NDArray[Scalar], places: npt.NDArray[Any], rows: npt.NDArray[Any], values: npt.NDArray[Scalar] | None = None
) -> None:
    """`out[places[rows]] = values[rows]`, or the rows themselves without values: of several writes to one place the last stays
    (numpy: "Assigning values to indexed arrays")."""
    for some in slices(len(rows)):
        here = rows[some].astype(np.intp)
        out[_take(places, here).astype(np.intp)] = here if values is None else _take(values, here)


def _take(values: npt.NDArray[Scalar], places: npt.NDArray[Any], out: npt.NDArray[Scalar] | None = None) -> npt.NDArray[Scalar]:
    """numpy takes fastest by its own type of index, and where it need not raise for one that is out of bounds."""
    return np.take(values, places.astype(np.intp, copy=False), out=out, mode="clip")
