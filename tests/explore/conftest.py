"""The home-grown queue over SQLite as a project of its own, so that a test may plant what is wrong."""

import shutil
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "scenarios" / "apps" / "lease_shop"


@pytest.fixture
def shop(tmp_path):
    """A project with the lease shop in it: `write(file, old, new)` changes its source."""
    project = tmp_path / "project"
    shutil.copytree(APP, project / "lease_shop", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (project / "lease_shop").glob("*.py"):
        file.write_text(file.read_text(encoding="utf-8").replace("scenarios.apps.lease_shop", "lease_shop"), encoding="utf-8")

    def write(name, old, new):
        file = project / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return project, write
