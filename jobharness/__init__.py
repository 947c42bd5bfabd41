"""jobharness tells you, with proof, what happens to your background jobs when things go wrong.

The package imports nothing until a name is asked for, so that loading the pytest plugin costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobharness.history.frame import History
    from jobharness.scenario.load import load_scenario
    from jobharness.scenario.model import Scenario

__all__ = ["History", "Scenario", "__version__", "load_scenario"]

__version__ = "0.1.0"

_HOMES = {
    "History": "jobharness.history.frame",
    "Scenario": "jobharness.scenario.model",
    "load_scenario": "jobharness.scenario.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jobharness' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
