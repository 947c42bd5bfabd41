"""One violation in a clean history of 100,000 jobs is found, and the clean one is never blamed.

Here a few places for each contract; `make contracts-proof` plants a thousand.
"""

import os

import numpy as np
import pytest

from jobharness.contracts.contract import Word
from tests.defects import CRASHLESS, PLANTS, Base, planted

TIMES = int(os.environ.get("PLANTED_DEFECTS", "2"))


@pytest.fixture(scope="module")
def bases():
    return {crashes: Base(crashes) for crashes in (True, False)}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_violation_is_found_and_the_clean_history_is_not_blamed(bases, name):
    contract, plant, word = PLANTS[name]
    base = bases[name not in CRASHLESS]
    assert contract.check(base.history).word is Word.HOLDS
    random = np.random.default_rng(1)
    for _ in range(TIMES):
        change = plant(base, random)
        finding = contract.check(planted(base, change))
        assert finding.word is word
        if change.job is not None:
            # Beside too many calls of one job, those of others that follow within the window are too many as well.
            assert change.job in finding.jobs if name == "upstream_rate_limit" else finding.jobs == [change.job]
