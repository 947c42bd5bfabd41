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

SLICE = 2**18

Scalar = TypeVar("Scalar", bound=np.generic)


def slices(count: int) -> Iterator[slice]:
    """0 up to `count`, so many at a time."""
    return (slice(start, min(start + SLICE, count)) for start in range(0, count, SLICE))


def taken(values: npt.NDArray[Scalar], places: npt.NDArray[Any]) -> npt.NDArray[Scalar]:
    """The values at these places: `values[places]`."""
    out = np.empty(len(places), values.dtype)
    for some in slices(len(places)):
        out[some] = values[places[some]]
    return out


def place(
    out: npt.NDArray[Scalar], places: npt.NDArray[Any], rows: npt.NDArray[Any], values: npt.NDArray[Scalar] | None = None
) -> None:
    """`out[places[rows]] = values[rows]`, or the rows themselves without values: of several writes to one place the last stays
    (numpy: "Assigning values to indexed arrays")."""
    for some in slices(len(rows)):
        here = rows[some]
        out[places[here]] = here if values is None else values[here]
