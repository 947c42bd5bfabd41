"""Projects to run commands in."""

import pytest

from tests.support.project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory):
    """One project for a module, whose costly command is run once."""
    return Project(tmp_path_factory.mktemp("project"))
