"""Reads the texts of one process, while they are written or afterwards (the layout is in `jobharness.agent.record`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from jobharness.errors import HistoryUnreadable

__all__ = ["TextFiles", "Texts"]

SUFFIX = ".texts"


class Texts:
    """The texts of one process by number; those that are written later are read when they are asked for.

    Args: `path` of the file; `lender`, `lent`: the texts of the process that it is a fork of, of which those with a number below
    `lent` are its own, too. None where it has none of them.
    """

    def __init__(self, path: Path, lender: Texts | None = None, lent: int = 1) -> None:
        self._path, self._lender, self._lent = path, lender, lent
        self._known = {0: ""}
        self._at = 0

    def __getitem__(self, number: int) -> str:
        """The text with this number; "" where it was not written. Raises: HistoryUnreadable."""
        if self._lender is not None and 0 < number < self._lent:
            return self._lender[number]
        if number not in self._known:
            self._read_on()
        return self._known.get(number, "")

    def last(self) -> int:
        """The highest number that a text has. Raises: HistoryUnreadable."""
        self._read_on()
        return max(self._lent - 1, *self._known)

    def _read_on(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._at)
            # A last line without its end was cut off, or is being written.
            whole, _, _ = file.read().rpartition(b"\n")
        for line in whole.split(b"\n") if whole else ():
            number, words = self._parse(line)
            self._known[number] = words
        self._at += len(whole) + 1 if whole else 0

    def _parse(self, line: bytes) -> tuple[int, str]:
        try:
            number, words = json.loads(line)
        except (ValueError, TypeError) as error:
            raise HistoryUnreadable(str(self._path), f"is not a file of texts of jobharness: {line[:80]!r}") from error
        if not isinstance(number, int) or not isinstance(words, str):
            raise HistoryUnreadable(str(self._path), f"is not a file of texts of jobharness: {line[:80]!r}")
        # An app may put half a character into an exception; tables hold whole ones.
        return number, words.encode("utf-8", "replace").decode()


class TextFiles:
    """The texts of the processes that wrote a folder's record files: read once, however many files and forks speak of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: WeakValueDictionary[str, Texts] = WeakValueDictionary()

    def of(self, stem: str, about: Mapping[str, Any]) -> Texts:
        """Those of one process. Args: `stem`: what its files have in common; `about`: what the header of one of them says."""
        texts = self._known.get(stem)
        if texts is None:
            lender = self.of(about["lender"], {}) if "lender" in about else None
            texts = self._known[stem] = Texts(self._folder / f"{stem}{SUFFIX}", lender, about.get("lent_texts", 1))
        return texts
