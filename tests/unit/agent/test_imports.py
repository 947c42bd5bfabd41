"""A function is called once a module has been imported, and nothing else about the import changes."""

import importlib.util
import inspect
import sys
import threading

import pytest

from jobharness.agent.imports import when_imported


@pytest.fixture
def lone_module(tmp_path, monkeypatch):
    """A module called `lone_module` that can be imported, and is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    path = tmp_path / "lone_module.py"
    path.write_text("value = 7\n")
    yield path
    sys.modules.pop("lone_module", None)


def test_call_comes_after_the_module_was_executed(lone_module):
    seen = []
    when_imported("lone_module", lambda: seen.append(sys.modules["lone_module"].value))
    assert not seen
    import lone_module

    assert seen == [7] and lone_module.value == 7


def test_call_comes_at_once_where_the_module_is_there_already():
    seen = []
    when_imported("json", lambda: seen.append(True))
    assert seen == [True]


def test_call_comes_once_however_often_it_is_imported(lone_module):
    seen = []
    when_imported("lone_module", lambda: seen.append(True))
    import lone_module

    importlib.reload(lone_module)
    assert seen == [True]


def test_look_without_an_import_does_not_use_the_watch_up(lone_module):
    """Libraries ask `find_spec` whether an optional module is there, and import it later."""
    seen = []
    when_imported("lone_module", lambda: seen.append(True))
    assert importlib.util.find_spec("lone_module") is not None
    assert not seen
    import lone_module  # noqa: F401  # imported for the call that follows

    assert seen == [True]


def test_module_that_appears_only_later_is_still_watched(lone_module):
    hidden = lone_module.with_suffix(".hidden")
    lone_module.rename(hidden)
    importlib.invalidate_caches()
    seen = []
    when_imported("lone_module", lambda: seen.append(True))
    with pytest.raises(ImportError):
        import lone_module as _  # it is not there yet
    hidden.rename(lone_module)
    importlib.invalidate_caches()
    import lone_module as _  # noqa: F401  # now it is

    assert seen == [True]


def test_two_watches_of_one_module_are_both_called(lone_module):
    seen = []
    when_imported("lone_module", lambda: seen.append("first"))
    when_imported("lone_module", lambda: seen.append("second"))
    import lone_module  # noqa: F401  # imported for the calls

    assert sorted(seen) == ["first", "second"]


def test_imported_module_keeps_its_own_loader_and_source(lone_module):
    when_imported("lone_module", lambda: None)
    import lone_module as module

    assert type(module.__loader__) is type(threading.__loader__)
    assert module.__spec__.loader is module.__loader__
    assert inspect.getsource(module) == "value = 7\n"


def test_module_that_fails_to_import_fails_as_it_would_alone(lone_module):
    lone_module.write_text("raise RuntimeError('its own')\n")
    seen = []
    when_imported("lone_module", lambda: seen.append(True))
    with pytest.raises(RuntimeError, match="its own"):
        import lone_module as _  # noqa: F401  # it raises
    assert not seen
