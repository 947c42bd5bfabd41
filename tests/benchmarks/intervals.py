"""How well a median is known."""

import math
import statistics


def median_within(values):
    """`(median, (low, high))`: the interval holds the true median in 95 of 100 repetitions, whatever the distribution.

    It is read off the sorted values (sign test): outliers of a busy machine widen it, and do not shift it.
    """
    ordered, half = sorted(values), 0.98 * math.sqrt(len(values))
    low = max(0, math.floor(len(ordered) / 2 - half))
    high = min(len(ordered) - 1, math.ceil(len(ordered) / 2 + half) - 1)
    return statistics.median(ordered), (ordered[low], ordered[high])
