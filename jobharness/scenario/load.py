"""Reads a scenario from a TOML file. Every mistake names the file, the key, what was expected and the nearest known
name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from jobharness.errors import ScenarioInvalid, nearest
from jobharness.scenario.model import QueueSpec, Scenario

__all__ = ["changed", "load_scenario", "scenario_from"]


def load_scenario(path: Path) -> Scenario:
    """Read and validate one scenario.

    Raises: ScenarioInvalid with one line per mistake.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ScenarioInvalid(str(path), "", "there is no such file") from None
    except OSError as error:
        raise ScenarioInvalid(str(path), "", f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioInvalid(str(path), "", f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    if not text.strip():
        raise ScenarioInvalid(str(path), "", "is empty; a scenario needs at least title, [queue], [broker] and [workload]")
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(str(path), "", f"is not TOML: {error}") from error
    return scenario_from(plain, str(path))


def scenario_from(plain: dict[str, Any], source: str) -> Scenario:
    """Validate a plain dict as a scenario; `source` is what mistakes are reported against.

    Raises: ScenarioInvalid.
    """
    try:
        return Scenario.model_validate(plain)
    except ValidationError as error:
        raise _invalid(error, source) from None


def changed(scenario: Scenario, source: str, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with changes, named as in `Scenario.with_`.

    Raises: ScenarioInvalid for a name that is none, or a value that does not fit.
    """
    known = sorted({*Scenario.model_fields, *QueueSpec.model_fields})
    for name in changes:
        if name.split("__")[0] not in known:
            guess = nearest(name, known)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise ScenarioInvalid(source, name, f"cannot be changed: unknown name{hint} (known: {', '.join(known)})")
    try:
        return scenario.with_(**changes)
    except ValidationError as error:
        raise _invalid(error, source) from None


def _invalid(error: ValidationError, source: str) -> ScenarioInvalid:
    """One line per mistake."""
    mistakes = error.errors(include_url=False)
    lines = [_sentence(dict(mistake)) for mistake in mistakes]
    first_key = _dotted(mistakes[0]["loc"])
    rest = "".join(f"\n{source}: {_dotted(m['loc'])}: {line}" for m, line in zip(mistakes[1:], lines[1:], strict=True))
    return ScenarioInvalid(source, first_key, lines[0] + rest)


def _sentence(mistake: dict[str, Any]) -> str:
    kind, given = mistake["type"], mistake.get("input")
    if kind == "extra_forbidden":
        known = _known_keys(mistake["loc"][:-1])
        guess = nearest(str(mistake["loc"][-1]), known)
        hint = f"; did you mean {guess!r}?" if guess else ""
        return f"unknown key{hint} (known here: {', '.join(known)})"
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(mistake["ctx"]["error"])
    if kind == "literal_error":
        guess = nearest(str(given), [word.strip("' ") for word in mistake["ctx"]["expected"].replace(" or ", ",").split(",")])
        hint = f"; did you mean {guess!r}?" if guess else ""
        return f"must be {mistake['ctx']['expected']}, not {given!r}{hint}"
    if kind.endswith("too_short"):
        return "must not be empty"
    for bound, words in _BOUNDS.items():
        if bound in mistake.get("ctx", {}):
            return f"must be {words} {mistake['ctx'][bound]:g}, not {given!r}"
    if wanted := _WANTED.get(kind.rpartition("_")[0]):
        return f"must be {wanted}, not {given!r}"
    return f"{mistake['msg'][0].lower()}{mistake['msg'][1:]}, not {given!r}"


# By pydantic's kind of mistake, without its last word ("int_parsing", "int_type", "int_from_float").
_WANTED = {
    **dict.fromkeys(("int", "int_from"), "a whole number"),
    "float": "a number",
    "string": "a text",
    "bool": "true or false",
    **dict.fromkeys(("tuple", "list"), "a list"),
    **dict.fromkeys(("dict", "model", "model_attributes"), "a table"),
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at `place` knows."""
    model: type[BaseModel] | None = Scenario
    for step in place:
        if model is None or isinstance(step, int):
            continue
        field = model.model_fields.get(str(step))
        model = _model_in(field.annotation) if field is not None else model
    return sorted(field.alias or name for name, field in model.model_fields.items()) if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in getattr(annotation, "__args__", ()) if (found := _model_in(inner))), None)


def _dotted(location: tuple[int | str, ...]) -> str:
    """`("fault", 0, "kind")` as `fault[0].kind`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
