"""What do we run? The Scenario model (pydantic), its units, and the TOML loader. Pure: nothing is started or
imported here."""

from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario

__all__ = ["Scenario", "load_scenario"]
