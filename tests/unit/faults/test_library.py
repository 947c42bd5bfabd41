"""The library of faults under scenarios/faults has one scenario at least for whatever can go wrong."""

import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

from jobharness.agent.mishaps import ACTIONS
from jobharness.catalog import FAULTS
from jobharness.upstream.behaviour import Misbehaviour

LIBRARY = Path(__file__).parents[3] / "scenarios" / "faults"


def written(key):
    """Every value of a key of the faults in the library."""
    scenarios = [tomllib.loads(path.read_text(encoding="utf-8")) for path in LIBRARY.glob("*.toml")]
    return {fault[key] for scenario in scenarios for fault in scenario.get("fault", ()) if key in fault}


def test_every_kind_of_fault_has_a_scenario():
    assert written("kind") == set(FAULTS)


def test_every_way_in_which_an_execution_goes_wrong_has_a_scenario():
    assert written("action") == set(ACTIONS)


def test_every_way_in_which_an_api_misbehaves_has_a_scenario():
    status, words = get_args(get_type_hints(Misbehaviour)["answer"])
    answers = written("answer")
    assert {answer for answer in answers if not isinstance(answer, status)} == set(get_args(words))
    assert {429, 503} <= answers
