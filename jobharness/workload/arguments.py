"""Arguments from templates, in any depth of lists and tables:

- `{faker.uuid4}`, `{faker.pyint:min_value=1,max_value=9}`: any provider of Faker, localised;
- `{row.amount}`: a column of the job's file (CSV, JSONL, Parquet), a row a job, again from the top at its end;
- `{hypothesis.integers:min_value=0}`: a strategy by name;
- `{lognormal:median=2.0,sigma=1.0}`, `{pareto:low=1,alpha=1.5}`, `{empirical:values=1|2|2|9}`: numbers by
  distribution, `fixed` by writing them;
- `{payload:of=lognormal,median=2000,sigma=1.0}`, `{payload:value=500}`: a text of so many characters, by any of them.

A string that is one placeholder becomes the value itself (a number stays a number); inside longer text it is written
out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from faker import Factory, Generator

from jobharness.errors import ScenarioInvalid, nearest
from jobharness.workload.distributions import DISTRIBUTIONS, payload, sampler
from jobharness.workload.strategies import examples

__all__ = ["Arguments"]

_PLACEHOLDER = re.compile(r"\{(?:(faker|row|hypothesis)\.)?([A-Za-z_][A-Za-z_0-9]*)(?::([^{}]*))?\}")

Value = Callable[[], Any]


class Arguments:
    """Fills templates from one seeded source. The same seed and the same order of calls give the same values.

    Raises: ScenarioInvalid at once for what Faker, a distribution or a file does not have, or does not take.
    """

    def __init__(
        self, templates: list[Any], locale: str, random: Random, rows: Iterator[Mapping[str, Any]] | None = None
    ) -> None:
        try:
            # One locale has one generator; without the proxy around it a value costs half. Names and places as often as in
            # the census would cost ten times as much, and no queue can tell. Seeded before it has its providers: that of
            # colors keeps the source of chance that it finds.
            generator = Generator()
            generator.seed_instance(0)
            self._faker = Factory.create(locale, generator=generator, use_weighting=False)
        except AttributeError as error:
            raise ScenarioInvalid("workload", "locale", f"Faker has no locale {locale!r}") from error
        self._known = {name for provider in self._faker.get_providers() for name in dir(provider) if not name.startswith("_")}
        self._random, self._rows = random, rows
        self._row: Mapping[str, Any] = next(rows) if rows is not None else {}
        self._values: dict[str, Value] = {}
        for text in _strings(templates):
            for match in _PLACEHOLDER.finditer(text):
                self._try(match)
        self._faker.seed_instance(random.getrandbits(64))

    def _try(self, match: re.Match[str]) -> None:
        source, name, parameters = match.groups()
        if source is None and name not in (*DISTRIBUTIONS, "payload"):
            return  # Braces that are none of ours, such as those of the service's own templates.
        try:
            value = self._source(source, name, _parameters(parameters or ""))
            value()
        except ScenarioInvalid:
            raise
        except Exception as error:  # A provider may raise anything; all of it is about what the scenario asked for.
            maker = {"faker": "Faker", "hypothesis": "Hypothesis"}.get(source, "it")
            raise ScenarioInvalid("workload.job", match.group(0), f"{maker} cannot make it: {error}") from error
        self._values[match.group(0)] = value

    def _source(self, source: str | None, name: str, parameters: dict[str, Any]) -> Value:
        if source == "row":
            return self._column(name)
        if source == "hypothesis":
            return examples(name, parameters, self._random.getrandbits(64))
        if source is None and name == "payload":
            of = parameters.pop("of", "fixed")
            if of not in DISTRIBUTIONS:
                raise ValueError(f"there is no distribution {of!r} (known: {', '.join(DISTRIBUTIONS)})")
            size = sampler(of, parameters, self._random)
            return lambda: payload(int(size()))
        if source is None:
            return sampler(name, parameters, self._random)
        if name not in self._known:
            guess = nearest(name, self._known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid("workload.job", f"{{faker.{name}}}", f"Faker has no provider {name!r}{hint}")
        provider = getattr(self._faker, name)
        return lambda: _plain(provider(**parameters))

    def _column(self, name: str) -> Value:
        if self._rows is None:
            raise ScenarioInvalid("workload.job", f"{{row.{name}}}", 'the job has no file of rows; add `rows = "FILE"`')
        if name not in self._row:
            known = ", ".join(self._row)
            raise ScenarioInvalid("workload.job", f"{{row.{name}}}", f"its file has no column {name!r} (known: {known})")
        return lambda: _plain(self._of_row(name))

    def _of_row(self, name: str) -> Any:
        if name not in self._row:
            known = ", ".join(self._row)
            raise ScenarioInvalid("workload.job", f"{{row.{name}}}", f"a row of its file has no such column (it has: {known})")
        return self._row[name]

    def turn(self) -> None:
        """Go to the next row of the file: the next job begins."""
        if self._rows is not None:
            self._row = next(self._rows)

    def fill(self, template: Any) -> Any:
        """The template with its placeholders filled, as JSON-able values."""
        if isinstance(template, str):
            if value := self._values.get(template):
                return value()
            return _PLACEHOLDER.sub(self._written, template) if "{" in template else template
        if isinstance(template, dict):
            return {key: self.fill(value) for key, value in template.items()}
        if isinstance(template, list | tuple):
            return [self.fill(value) for value in template]
        return template

    def _written(self, match: re.Match[str]) -> str:
        value = self._values.get(match.group(0))
        return match.group(0) if value is None else str(value())


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
