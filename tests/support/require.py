"""What is missing on a machine skips a test at home and fails it in CI, where JOBHARNESS_REQUIRE=all says that nothing may be missing."""

import os
from typing import NoReturn

import pytest

__all__ = ["missing"]


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get("JOBHARNESS_REQUIRE") == "all":
        pytest.fail(f"{reason} (and JOBHARNESS_REQUIRE=all)", pytrace=False)
    pytest.skip(reason)
