"""The one kit, on every pair of queue library and broker, in the oldest environment of each."""

import pytest

from jobharness.conformance import CHECKS
from tests.support.kit import evidence_of
from tests.support.subjects import OLDEST

pytestmark = pytest.mark.real

evidence = evidence_of(OLDEST)


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == [], evidence.tested
