"""Wraps a library's own method where the library has no hook, and what libraries' events have in common."""

import functools
import inspect

__all__ = ["during", "one_line", "replace", "wrap"]


def wrap(owner, name):
    """Decorate a function that stands in for a method (or a module's function) and is given the original first.

    The class that defines the method is changed, so that the library's other classes have it too. Class methods, static methods
    and coroutines stay what they are. It raises AttributeError where this version of the library has no such method.
    """

    def put(stand_in):
        @replace(owner, name)
        def made(original):
            def replaced(*args, **kwargs):
                return stand_in(original, *args, **kwargs)

            async def replaced_coroutine(*args, **kwargs):
                return await stand_in(original, *args, **kwargs)

            return replaced_coroutine if inspect.iscoroutinefunction(original) else replaced

        return stand_in

    return put


def replace(owner, name):
    """Decorate a function that makes of a method what stands in for it. Otherwise as `wrap`, and one call less, for what every
    job goes through."""

    def put(make):
        line = getattr(owner, "__mro__", (owner,))  # A module has none.
        home = next((kind for kind in line if name in vars(kind)), owner)
        held = inspect.getattr_static(home, name)
        kind = type(held) if isinstance(held, (classmethod, staticmethod)) else _itself
        original = held.__func__ if kind is not _itself else held
        setattr(home, name, kind(functools.wraps(original)(make(original))))
        return make

    return put


def during(variable):
    """A stand-in for a coroutine: the context variable is True while it runs."""

    async def stand_in(original, *args, **kwargs):
        token = variable.set(True)
        try:
            return await original(*args, **kwargs)
        finally:
            variable.reset(token)

    return stand_in


def _itself(function):
    return function


def one_line(exception):
    """An exception in words, short enough for a report; "" for None."""
    return ("%s: %s" % (type(exception).__name__, exception))[:500] if exception is not None else ""
