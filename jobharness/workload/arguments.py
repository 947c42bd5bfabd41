"""Arguments from templates: "{faker.uuid4}", "{faker.pyint:min_value=1,max_value=9}", in any depth of lists and tables.

A string that is one placeholder becomes the value itself (a number stays a number); inside longer text it is written out.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from faker import Faker

from jobharness.errors import ScenarioInvalid, nearest

__all__ = ["Arguments"]

_PLACEHOLDER = re.compile(r"\{faker\.([a-z_0-9]+)(?::([^{}]*))?\}")


class Arguments:
    """Fills templates from one seeded Faker. The same seed and the same order of calls give the same values.

    Raises: ScenarioInvalid at once for a provider that Faker does not have, or that does not take what it is given.
    """

    def __init__(self, templates: list[Any], locale: str, random: Random) -> None:
        try:
            self._faker = Faker(locale)
        except AttributeError as error:
            raise ScenarioInvalid("workload", "locale", f"Faker has no locale {locale!r}") from error
        for text in _strings(templates):
            for match in _PLACEHOLDER.finditer(text):
                self._try(match)
        self._faker.seed_instance(random.getrandbits(64))

    def _try(self, match: re.Match[str]) -> None:
        known = self._providers()
        name = match.group(1)
        if name not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid("workload.job", match.group(0), f"Faker has no provider {name!r}{hint}")
        try:
            self._value(match)
        except Exception as error:  # A provider may raise anything; all of it is about what the scenario asked for.
            raise ScenarioInvalid("workload.job", match.group(0), f"Faker cannot make it: {error}") from error

    def _providers(self) -> set[str]:
        """What Faker can make: the public methods of its providers, and none of its own."""
        return {name for provider in self._faker.get_providers() for name in dir(provider) if not name.startswith("_")}

    def fill(self, template: Any) -> Any:
        """The template with its placeholders filled, as JSON-able values."""
        if isinstance(template, str):
            if whole := _PLACEHOLDER.fullmatch(template):
                return self._value(whole)
            return _PLACEHOLDER.sub(lambda match: str(self._value(match)), template)
        if isinstance(template, dict):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.fill(value) for value in template]
        return template

    def _value(self, match: re.Match[str]) -> Any:
        return _plain(getattr(self._faker, match.group(1))(**_parameters(match.group(2) or "")))


def _plain(value: Any) -> Any:
    """The value as JSON can hold it; what it cannot, such as a date, as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(inner) for inner in value), key=repr)
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else str(value)


def _parameters(text: str) -> dict[str, Any]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {key.strip(): _literal(value.strip()) for key, _, value in pairs}


def _literal(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word.lower(), word)


def _strings(template: Any) -> list[str]:
    if isinstance(template, str):
        return [template]
    inner = template.values() if isinstance(template, dict) else template if isinstance(template, list | tuple) else ()
    return [text for value in inner for text in _strings(value)]
