"""Arguments from templates: "{faker.uuid4}", "{faker.pyint:min_value=1,max_value=9}", in any depth of lists and tables.

A string that is one placeholder becomes the value itself (a number stays a number); inside longer text it is written out.
"""

from __future__ import annotations

import datetime
import decimal
import re
from random import Random
from typing import Any

from faker import Faker

from jobharness.errors import ScenarioInvalid, nearest

__all__ = ["Arguments"]

_PLACEHOLDER = re.compile(r"\{faker\.([a-z_0-9]+)(?::([^{}]*))?\}")


class Arguments:
    """Fills templates from one seeded Faker. The same seed and the same order of calls give the same values.

    Raises: ScenarioInvalid at once for a provider that Faker does not have.
    """

    def __init__(self, templates: list[Any], locale: str, random: Random) -> None:
        try:
            self._faker = Faker(locale)
        except AttributeError as error:
            raise ScenarioInvalid("workload", "locale", f"Faker has no locale {locale!r}") from error
        self._faker.seed_instance(random.getrandbits(64))
        for name in {match.group(1) for text in _strings(templates) for match in _PLACEHOLDER.finditer(text)}:
            if not hasattr(self._faker, name):
                guess = nearest(name, dir(self._faker))
                hint = f"; did you mean {guess!r}?" if guess else ""
                raise ScenarioInvalid("workload.job", "kwargs", f"Faker has no provider {name!r}{hint}")

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
        value = getattr(self._faker, match.group(1))(**_parameters(match.group(2) or ""))
        if isinstance(value, datetime.date | datetime.time | decimal.Decimal):
            return str(value)
        return sorted(value) if isinstance(value, set) else value


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
