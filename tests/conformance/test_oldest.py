"""The one kit, on every pair of queue library and broker, in the oldest environment of each."""

import pytest

from jobharness.conformance import CHECKS
from tests.support.kit import observed
from tests.support.subjects import OLDEST

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=OLDEST)
def evidence(request, tmp_path_factory):
    """What was seen of one subject; made once for all checks."""
    return observed(OLDEST[request.param], tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == [], evidence.tested
