"""Durations, rates and sizes as people write them: "500ms", "2m", "50/s", "1/min", "64MB"."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

__all__ = ["Duration", "Quantity", "Rate", "Share", "Size", "parse_duration", "parse_rate", "parse_size"]

SECONDS_PER = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
BYTES_PER = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|min|m|h)")


def parse_duration(value: Any) -> Any:
    """Seconds of a duration such as "500ms", "10s" or "1m30s"; a plain number is refused, because its unit would be
    a guess.

    Raises: ValueError with what was seen and what is allowed.
    """
    if isinstance(value, str) and (whole := value.strip()):
        parts = list(_DURATION.finditer(whole))
        if parts and "".join(part.group(0) for part in parts).replace(" ", "") == whole.replace(" ", ""):
            return sum(float(part.group(1)) * SECONDS_PER[part.group(2)] for part in parts)
    raise ValueError(f'{value!r} is not a duration; write a number with its unit, such as "500ms", "10s" or "1m30s"')


def parse_rate(value: Any) -> Any:
    """Events per second of a rate such as "50/s" or "30/min". Raises: ValueError."""
    if isinstance(value, str) and (match := _RATE.fullmatch(value.strip())):
        return float(match.group(1)) / SECONDS_PER[match.group(2)]
    raise ValueError(f'{value!r} is not a rate; write a number with its unit, such as "50/s" or "30/min"')


def parse_quantity(value: Any) -> Any:
    """A plain number, or a duration in seconds, or a rate per second. Raises: ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    for parse in (parse_duration, parse_rate):
        try:
            return parse(value)
        except ValueError:
            continue
    raise ValueError(f'{value!r} is not a limit; write a number, a duration such as "500ms" or a rate such as "50/s"')


def parse_share(value: Any) -> Any:
    """The share that a percentage such as "10%" is. Raises: ValueError."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())):
        return float(match.group(1)) / 100
    raise ValueError(f'{value!r} is not a share; write a percentage, such as "10%"')


def parse_size(value: Any) -> int:
    """Bytes of a size such as "64KB", "300MB" or "1GB" (powers of 1024). Raises: ValueError."""
    if isinstance(value, str) and (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)", value.strip())):
        return round(float(match.group(1)) * BYTES_PER[match.group(2)])
    raise ValueError(f'{value!r} is not a size; write a number with its unit, such as "300MB"')


Duration = Annotated[float, BeforeValidator(lambda v: v if isinstance(v, float) else parse_duration(v)), Field(ge=0)]
"""Seconds, as a float; a string with a unit in TOML."""

Rate = Annotated[float, BeforeValidator(lambda v: v if isinstance(v, float) else parse_rate(v)), Field(gt=0)]
"""Events per second, as a float; a string with a unit in TOML."""

Quantity = Annotated[float, BeforeValidator(parse_quantity)]
"""A limit in the metric's base unit, as a float."""

Share = Annotated[float, BeforeValidator(lambda v: v if isinstance(v, float) else parse_share(v)), Field(ge=0)]
"""A share, as a float; a percentage in TOML."""

Size = Annotated[float, BeforeValidator(lambda v: v if isinstance(v, float) else parse_size(v)), Field(ge=0)]
"""Bytes, as a float; a string with a unit in TOML."""
