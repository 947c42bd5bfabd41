"""What a contract found: one of four words, ranked, the reason, and the offenders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import polars as pl

__all__ = ["OFFENDERS", "Finding", "Word", "no_offenders"]


class Word(IntEnum):
    """A verdict's word, the graver the smaller."""

    BROKEN = 0
    UNKNOWN = 1
    VACUOUS = 2
    HOLDS = 3

    def __str__(self) -> str:
        return self.name.lower()


OFFENDERS = {"job": pl.UInt32, "row": pl.UInt32, "why": pl.String}


def no_offenders() -> pl.DataFrame:
    """An empty table of offenders."""
    return pl.DataFrame(schema=OFFENDERS)


@dataclass(frozen=True, eq=False)
class Finding:
    """What one contract found.

    `sentence`: the reason for the word, for people. `counts`: figures by name, such as `lost`. `offenders`: every
    offence, the worst first: columns `job` (row of History.jobs, may be null), `row` (row of History.events, may be
    null), `why`. `promise`: the contract's own, put there by `judge`.
    """

    contract: str
    word: Word
    sentence: str
    counts: Mapping[str, int] = field(default_factory=dict)
    offenders: pl.DataFrame = field(default_factory=no_offenders)
    promise: str = ""

    @property
    def jobs(self) -> list[int]:
        """The jobs that offend, the worst first, each once."""
        return self.offenders["job"].drop_nulls().unique(maintain_order=True).to_list()
