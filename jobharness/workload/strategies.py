"""Values from Hypothesis strategies by name, drawn from the run's seed. Hypothesis is asked for only when a scenario
names one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobharness.errors import ExtraMissing, UnknownName

__all__ = ["examples"]

AT_ONCE = 200


def examples(name: str, parameters: dict[str, Any], seed: int) -> Callable[[], Any]:
    """Draws examples of `hypothesis.strategies.NAME(**parameters)`, `AT_ONCE` generated beforehand at a time.

    The first are the odd ones that Hypothesis likes (0, "", the largest): that is what it is for. Raises:
    ExtraMissing, UnknownName.
    """
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise ExtraMissing("hypothesis", "hypothesis", "{hypothesis.…}") from error
    if name not in strategies.__all__:
        raise UnknownName("strategy of Hypothesis", name, strategies.__all__)
    strategy = getattr(strategies, name)(**parameters)
    pool: list[Any] = []
    batch = 0

    def draw() -> Any:
        nonlocal batch
        if not pool:
            pool.extend(reversed(_generated(strategy, seed + batch)))
            batch += 1
        return pool.pop()

    return draw


def _generated(strategy: Any, seed: int) -> list[Any]:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    drawn: list[Any] = []

    @seeded(seed)
    @settings(
        max_examples=AT_ONCE, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn
