"""`jobharness schema`: the JSON schemas of what people write and of what programs read."""

from __future__ import annotations

import json
import sys

from pydantic import BaseModel

from jobharness.report.data import VerdictFile
from jobharness.scenario.model import Scenario

__all__ = ["print_schema"]


def print_schema(document: str = "scenario") -> int:
    """Print that of a "scenario" or of a "verdict" (verdict.json) on standard output."""
    models: dict[str, type[BaseModel]] = {"scenario": Scenario, "verdict": VerdictFile}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **models[document].model_json_schema()}
    sys.stdout.write(json.dumps(schema, indent=2) + "\n")
    return 0
