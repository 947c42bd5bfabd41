"""Numbers by distribution: sizes, run times, amounts. Real ones have long tails."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["DISTRIBUTIONS", "payload", "sampler"]

# As hard to compress as what people write in base64: a broker or library that compresses must not win by our choice of letters.
_LETTERS = b64encode(Random(0).randbytes(48 * 1024)).decode("ascii")


def fixed(random: Random, value: float) -> float:
    """Always `value`."""
    return value


def lognormal(random: Random, median: float, sigma: float, most: float = math.inf) -> float:
    """Log-normal with that median; `sigma`: the spread of its logarithm. At most `most`."""
    return min(most, median * math.exp(random.gauss(0.0, sigma)))


def pareto(random: Random, low: float, alpha: float, most: float = math.inf) -> float:
    """Pareto from `low` on; the smaller `alpha`, the longer the tail (no mean at 1 and below). At most `most`."""
    return min(most, low * random.paretovariate(alpha))


def empirical(random: Random, values: list[float]) -> float:
    """One of the values that were seen, each as likely as it was often."""
    return random.choice(values)


DISTRIBUTIONS: dict[str, Callable[..., float]] = {
    "fixed": fixed,
    "lognormal": lognormal,
    "pareto": pareto,
    "empirical": empirical,
}


def payload(characters: int) -> str:
    """A text of so many characters, the same for the same number; of a length below 0, and of 0, an empty one."""
    whole, rest = divmod(max(0, characters), len(_LETTERS))
    return _LETTERS * whole + _LETTERS[:rest]


def sampler(name: str, parameters: dict[str, Any], random: Random) -> Callable[[], float]:
    """Draws from a distribution by name. `values` of `empirical` may be text: "1|2|2|9".

    Raises: TypeError or ValueError for parameters that it does not take.
    """
    distribution = DISTRIBUTIONS[name]
    if name == "empirical":
        values = parameters["values"]
        parts = str(values).split("|") if not isinstance(values, list) else values
        parameters = {**parameters, "values": [float(part) for part in parts]}
    if (name == "lognormal" and parameters.get("median", 1) <= 0) or (name == "pareto" and not parameters.get("alpha", 1) > 0):
        raise ValueError("its median, or alpha, must be more than 0")
    return lambda: distribution(random, **parameters)
