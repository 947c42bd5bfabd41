"""Reads the texts of one process, while they are written or afterwards (the layout is in `jobharness.agent.record`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobharness.errors import HistoryUnreadable

__all__ = ["Texts"]

SUFFIX = ".texts"


class Texts:
    """The texts of one process by number; those that are written later are read when they are asked for.

    Args: `path` of one of its record files; `about`: what that file's header says.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self._path = path.with_name(path.name.rsplit(".", 2)[0] + SUFFIX)
        self._known = {0: ""}
        self._at = 0
        if "lender" in about:
            # The lender wrote these before it forked.
            lent = Texts(path.with_name(f"{about['lender']}.0.rec"), {}).all()
            self._known.update((number, words) for number, words in lent.items() if number < about["lent_texts"])

    def __getitem__(self, number: int) -> str:
        """The text with this number; "" where it was not written. Raises: HistoryUnreadable."""
        if number not in self._known:
            self._read_on()
        return self._known.get(number, "")

    def all(self) -> dict[int, str]:
        """Every text by its number. Raises: HistoryUnreadable."""
        self._read_on()
        return self._known

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
