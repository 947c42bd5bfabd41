"""What differs between two runs besides what they measured: every variable that could explain a difference, leaf by leaf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "differences"]

# Where a run's server listened is chance and not a variable.
_LOOPBACK_PORT = re.compile(r"(127\.0\.0\.1|localhost):\d+")


@dataclass(frozen=True)
class Difference:
    """A variable that the two runs do not share. None: it was not set on that side."""

    name: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    """Every leaf that is not the same on both sides, with its dotted name."""
    left, right = dict(_flat(before)), dict(_flat(after))
    for name in [*left, *(name for name in right if name not in left)]:
        if left.get(name) != right.get(name):
            yield Difference(name, left.get(name), right.get(name))


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted name. A list of plain values is one leaf: its order has a meaning of its own."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}[{index}]")
    else:
        leaf = list(value) if isinstance(value, tuple) else value
        yield name, _LOOPBACK_PORT.sub(r"\1:*", leaf) if isinstance(leaf, str) else leaf
