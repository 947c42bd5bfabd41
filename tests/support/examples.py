"""How many examples a test tries that hypothesis makes them for."""

from hypothesis import settings

__all__ = ["QUICK", "examples"]

ALL = 100
QUICK = settings.default.max_examples < ALL
"""Whether a quick answer is asked for, as `make check` does; `make test` tries them all."""


def examples(most: int) -> int:
    """So many, or a share of them where the answer is to be quick; 3 at least."""
    return max(3, most * min(settings.default.max_examples, ALL) // ALL)
