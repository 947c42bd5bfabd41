"""Calls a function once a module has been imported, without importing it."""

import importlib.abc
import importlib.util
import sys

__all__ = ["when_imported"]


def when_imported(name, call):
    """Call `call()` right after module `name` was executed; now, if it already was."""
    if name in sys.modules:
        call()
    else:
        sys.meta_path.insert(0, _Watcher(name, call))


class _Watcher(importlib.abc.MetaPathFinder):
    """Finds one module by the other finders, and wraps its loader."""

    def __init__(self, name, call):
        self.name, self.call = name, call

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.call)
        return spec


class _Loader(importlib.abc.Loader):
    """The module's own loader, followed by the call."""

    def __init__(self, loader, call):
        self.loader, self.call = loader, call

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        self.call()
