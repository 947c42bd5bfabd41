"""Which versions of a library the conformance kit is run with."""

from jobharness.compare.environment import environment

__all__ = ["environment", "wanted"]


def wanted(module, which: str, broker: str):
    """`(python, requirements)` that a module of conformance subjects names as `which` (NEWEST, OLDEST), alone or by kind of broker;
    None where it names none.
    """
    named = getattr(module, which, None)
    return named[broker] if isinstance(named, dict) else named
