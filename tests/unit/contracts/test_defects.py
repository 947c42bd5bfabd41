"""One violation in a clean history of 100,000 jobs is found, and the clean one is never blamed.

Here a few places for each contract; `make contracts-proof` plants a thousand.
"""

import pytest

from jobharness.contracts.contract import Word
from tests.defects import CRASHLESS, PLANTS
from tests.proof import base, found

TIMES = 2


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_violation_is_found_and_the_clean_history_is_not_blamed(name):
    assert PLANTS[name][0].check(base(name not in CRASHLESS).history).word is Word.HOLDS
    assert found(name, TIMES) == TIMES
