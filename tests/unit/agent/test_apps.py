"""An app is found by whatever name its library's own command takes."""

import pytest

from jobharness.agent.apps import load


@pytest.fixture
def project(tmp_path, monkeypatch):
    package = tmp_path / "appspackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tasks.py").write_text("class holder:\n    queue = 'the queue'\nqueue = holder.queue\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", ["appspackage.tasks:queue", "appspackage.tasks.queue", "appspackage.tasks:holder.queue"])
def test_attribute_is_named_with_a_colon_or_a_dot(project, name):
    module, found = load(name)
    assert (module.__name__, found) == ("appspackage.tasks", "the queue")


def test_module_alone_has_no_object(project):
    module, found = load("appspackage.tasks")
    assert (module.__name__, found) == ("appspackage.tasks", None)


def test_missing_attribute_is_named(project):
    with pytest.raises(AttributeError, match="nothing"):
        load("appspackage.tasks:nothing")


def test_missing_module_is_named(project):
    with pytest.raises(ModuleNotFoundError, match="absent"):
        load("appspackage.absent:queue")
