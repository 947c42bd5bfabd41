"""Finds the app by the name that its library's own command takes."""

import importlib
import importlib.util

__all__ = ["load"]


def load(name):
    """`(module, object)` for "package.module:attribute" or "package.module.attribute"; the object is None for "package.module".

    Raises: whatever importing the module raises; AttributeError when it has no such attribute.
    """
    path, colon, attributes = name.partition(":")
    if not colon:
        path, attributes = _split(name)
    module = importlib.import_module(path)
    found = module if attributes else None
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return module, found


def _split(name):
    """The longest part of a dotted name that is a module, and the attribute that is left."""
    try:
        if importlib.util.find_spec(name) is not None:
            return name, ""
    except ModuleNotFoundError:
        pass  # Its last word but one is no package: then it is a module, and the last word is an attribute of it.
    path, _, attribute = name.rpartition(".")
    return (path, attribute) if path else (name, "")
