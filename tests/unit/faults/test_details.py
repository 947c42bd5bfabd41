"""The keys of a fault's own are told apart from those of its trigger, which never reach it."""

import importlib
import inspect

import pytest

from jobharness.catalog import FAULTS
from jobharness.scenario.model import FaultSpec

TRIGGER_KEYS = {name for field, info in FaultSpec.model_fields.items() for name in (field, info.alias) if name}


@pytest.mark.parametrize("name", FAULTS)
def test_no_key_of_a_fault_is_one_of_its_trigger(name):
    module, _, attribute = FAULTS[name].partition(":")
    own = set(inspect.signature(getattr(importlib.import_module(module), attribute).__init__).parameters) - {"self"}
    assert not own & TRIGGER_KEYS
