"""`jobharness alarms`: the rules of the seven usual alarms."""

from __future__ import annotations

import sys
from pathlib import Path

from jobharness.integrations.alarms import alarm_rules
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import PrometheusSpec

__all__ = ["print_alarms"]

IN_PRODUCTION = PrometheusSpec(hold=60.0, window=300.0, oldest_job=300.0, growth=1.0, backlog=1000)
"""A run lasts seconds and rings after seconds; whoever is paged by these wants to know that it lasts."""


def print_alarms(scenario: Path | None, interval: str) -> int:
    """Print them, with the thresholds of a scenario or those of production. Raises: ScenarioInvalid."""
    spec = load_scenario(scenario).prometheus if scenario is not None else None
    sys.stdout.write(alarm_rules(spec or IN_PRODUCTION, interval))
    return 0
