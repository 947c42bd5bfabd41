"""Takes secrets out of what a report shows: by the names that values have, and by the shapes that secrets have in running text.

The shapes are plain regular expressions without look-around, so that Python and polars read them alike. A mask that hides too
much costs a reader a moment; one that hides too little costs a password: in doubt it is masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

__all__ = ["MASK", "mask_log", "masked_texts", "without_secrets"]

MASK = "***"

SECRET_NAMES = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "private_key",
    "credential", "dsn", "authorization", "cookie",
)  # fmt: skip
"""A value is secret when its name holds one of these, in any case."""

_NAMES = "|".join(re.escape(name) for name in SECRET_NAMES)

# What stands in a group is kept, what stands outside of one is masked. The order matters: whole shapes before their parts.
_SHAPES = (
    # scheme://user:password@host, up to the last @ (a password may hold one); and scheme://key@host as Sentry's DSN has it.
    (r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@?#'\"]*:)[^\s'\"]*(@)", rf"${{1}}{MASK}${{2}}"),
    (r"(?i)([a-z][a-z0-9+.-]*://)[^\s:/@?#'\"]+(@)", rf"${{1}}{MASK}${{2}}"),
    (r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}", rf"${{1}} {MASK}"),
    # password=hunter2, "api_key": "…", --token=…, ?access_token=….
    (rf"(?i)([\w.-]*(?:{_NAMES})[\w.-]*['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s,;&'\"(){{}}\[\]]+)", rf"${{1}}{MASK}"),
    # Tokens that say themselves what they are: JSON Web Tokens, AWS, GitHub, GitLab, Slack, Stripe.
    (r"\beyJ[\w-]+\.[\w-]+\.[\w-]*", MASK),
    (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", MASK),
    (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|[rs]k_(?:live|test)_)[\w-]{8,}", MASK),
)

_PYTHON_SHAPES = [(re.compile(shape), re.sub(r"\$\{(\d)\}", r"\\g<\1>", kept)) for shape, kept in _SHAPES]


def without_secrets(value: Any, also: Sequence[str] = (), name: str = "") -> Any:
    """The value with every secret in it masked, in any depth; tuples become lists.

    Args: `also`: further names whose values are secret, as the user lists them; `name`: what the value itself is called.
    """
    if value and _is_secret(name, also):
        return MASK
    if isinstance(value, dict):
        return {key: without_secrets(inner, also, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        # On a command line the name of a value is the word before it.
        flags = ["", *(_flag(inner) for inner in value)]
        return [without_secrets(inner, also, flag) for inner, flag in zip(value, flags, strict=False)]
    return _without_shapes(value) if isinstance(value, str) else value


def _is_secret(name: str, also: Sequence[str]) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in SECRET_NAMES) or any(word.lower() in lowered for word in also if word)


def _flag(word: Any) -> str:
    return word if isinstance(word, str) and word.startswith("-") and "=" not in word else ""


def _without_shapes(text: str) -> str:
    for shape, kept in _PYTHON_SHAPES:
        text = shape.sub(kept, text)
    return text


def masked_texts(texts: pl.Series) -> pl.Series:
    """A column of texts with the shapes of secrets masked. Cost: linear, and fast enough for millions."""
    for shape, kept in _SHAPES:
        texts = texts.str.replace_all(shape, kept)
    return texts


def mask_log(path: Path) -> None:
    """Mask the shapes of secrets in a log whose writer is gone; a log without any is left as it is."""
    if not path.stat().st_size:
        return
    lines = pl.Series(path.read_text(encoding="utf-8", errors="replace").split("\n"), dtype=pl.String)
    masked = masked_texts(lines)
    if not masked.equals(lines):
        path.write_text("\n".join(masked), encoding="utf-8")
