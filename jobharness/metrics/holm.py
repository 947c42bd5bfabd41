"""Many metrics, one conclusion: Holm's correction, so that looking at more of them does not find more by chance."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values as they are after correction, in the order given: at most a share `a` of comparisons without any
    difference has one that is `a` or less. Source: S. Holm, "A simple sequentially rejective multiple test procedure",
    1979."""
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = running
    return adjusted
