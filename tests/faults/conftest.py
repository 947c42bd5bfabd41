"""Scenarios of the library of faults, run for their evidence."""

from pathlib import Path

import pytest

from jobharness.harness import Harness

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """`run(name, **changes)`: the result of scenarios/faults/<name>.toml, with changes laid over it."""
    reports = tmp_path_factory.mktemp("reports")
    return lambda name, **changes: Harness(ROOT, reports).run(f"scenarios/faults/{name}.toml", **changes)
