"""Narrow tables set aside in a folder, so that memory holds one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

__all__ = ["FolderShelf"]


class FolderShelf:
    """Keeps tables as files in an empty folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: dict[str, int] = {}

    def put(self, name: str, table: pl.DataFrame) -> None:
        """Keep a table beside those of the same name."""
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        table.write_parquet(self._file(name, number), compression="lz4")

    def take(self, name: str) -> pl.DataFrame:
        """All tables of that name as one, in the order in which they were put; gone afterwards."""
        files = [self._file(name, number) for number in range(self._counts.pop(name))]
        table = pl.concat([pl.read_parquet(file) for file in files]).rechunk()
        for file in files:
            file.unlink()
        return table

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin so, in order."""
        return sorted(name for name in self._counts if name.startswith(prefix))

    def _file(self, name: str, number: int) -> Path:
        return self._folder / f"{name}-{number}.parquet"
