"""Calls a function once a module has been imported, without importing it.

The finder and the loader are plain classes: every process of the app would pay for what `importlib.abc` imports.
"""

import sys

__all__ = ["when_imported"]


def when_imported(name, call):
    """Call `call()` right after module `name` was executed; now, if it already was."""
    if name in sys.modules:
        call()
    else:
        sys.meta_path.insert(0, _Watcher(name, call))


class _Watcher:
    """Finds one module by the finders behind it, and wraps its loader. Stays until the module was executed: a look is none."""

    def __init__(self, name, call):
        self.name, self.call = name, call

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name or self not in sys.meta_path:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader:
    """The module's own loader, followed by the call. The module keeps its own loader, and nothing of this one."""

    def __init__(self, loader, watcher):
        self.loader, self.watcher = loader, watcher

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        if self.watcher in sys.meta_path:
            sys.meta_path.remove(self.watcher)
        self.watcher.call()
