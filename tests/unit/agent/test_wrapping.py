"""A stand-in takes the place of a library's method, whatever kind of method that is."""

import asyncio
import inspect

import pytest

from jobharness.agent.wrapping import one_line, replace, wrap


class Base:
    def plain(self, number):
        return number

    @classmethod
    def of_class(cls, number):
        return (cls.__name__, number)

    @staticmethod
    def static(number):
        return number

    async def coroutine(self, number):
        return number


class Derived(Base):
    pass


class Sibling(Base):
    pass


@pytest.fixture(autouse=True)
def restored():
    kept = {name: vars(Base)[name] for name in ("plain", "of_class", "static", "coroutine")}
    yield
    for name, held in kept.items():
        setattr(Base, name, held)


def test_stand_in_is_given_the_original_and_the_arguments():
    @wrap(Base, "plain")
    def plain(original, self, number):
        return original(self, number) + 1

    assert Base().plain(1) == 2


def test_method_is_replaced_where_it_is_defined_so_that_sisters_have_it_too():
    @wrap(Derived, "plain")
    def plain(original, self, number):
        return -number

    assert (Base().plain(1), Sibling().plain(1)) == (-1, -1)
    assert "plain" not in vars(Derived)


def test_class_and_static_methods_stay_what_they_are():
    @wrap(Base, "of_class")
    def of_class(original, cls, number):
        return original(cls, number + 1)

    @wrap(Base, "static")
    def static(original, number):
        return original(number + 1)

    assert Derived.of_class(1) == ("Derived", 2)
    assert Derived().static(1) == 2


def test_coroutine_stays_one():
    @wrap(Base, "coroutine")
    async def coroutine(original, self, number):
        return await original(self, number) + 1

    assert inspect.iscoroutinefunction(Base.coroutine)
    assert asyncio.run(Base().coroutine(1)) == 2


def test_method_that_this_version_lacks_is_an_error():
    with pytest.raises(AttributeError):
        wrap(Base, "gone")(lambda original: None)


def test_exception_is_told_in_one_short_line():
    assert one_line(ValueError("no")) == "ValueError: no"
    assert one_line(None) == ""
    assert len(one_line(ValueError("x" * 10_000))) == 500


def test_replacement_is_made_of_the_original_and_looks_like_it():
    plain = Base.plain

    @replace(Base, "plain")
    def made(original):
        def counted(self, number):
            return original(self, number) + 1

        return counted

    @replace(Base, "of_class")
    def made_of_class(original):
        return lambda cls, number: original(cls, number + 1)

    assert Base().plain(1) == 2
    assert (Base.plain.__name__, Base.plain.__wrapped__) == ("plain", plain)
    assert Derived.of_class(1) == ("Derived", 2)


def test_what_is_not_there_cannot_be_replaced():
    with pytest.raises(AttributeError, match="gone"):
        replace(Base, "gone")(lambda original: original)
