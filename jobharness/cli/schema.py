"""`jobharness schema`: the JSON schema of a scenario."""

from __future__ import annotations

import json
import sys

from jobharness.scenario.model import Scenario

__all__ = ["print_schema"]


def print_schema() -> int:
    """Print it on standard output."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Scenario.model_json_schema()}
    sys.stdout.write(json.dumps(schema, indent=2) + "\n")
    return 0
