"""What is missing on a machine skips a test at home and fails it in CI, where JOBHARNESS_REQUIRE=all says that nothing may be missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["missing", "require_binary"]


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where everything is required."""
    if os.environ.get("JOBHARNESS_REQUIRE") == "all":
        pytest.fail(f"{reason} (and JOBHARNESS_REQUIRE=all)", pytrace=False)
    pytest.skip(reason)


def require_binary(*names):
    """One of the servers, by the name of its binary."""
    folders = os.pathsep.join(["/usr/lib/rabbitmq/bin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))])
    if not any(shutil.which(name) or shutil.which(name, path=folders) for name in names):
        missing(f"there is no {names[0]}")
