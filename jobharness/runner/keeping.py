"""What stays of a run: its History and its logs, without secrets. The raw records and the servers' data go."""

from __future__ import annotations

import shutil
from dataclasses import replace

from jobharness.history import log
from jobharness.history.frame import History
from jobharness.runner.folder import RunFolder
from jobharness.runner.masking import mask_log, masked_texts

__all__ = ["kept"]


def kept(folder: RunFolder, gathered: History) -> History:
    """Save what was gathered, and clear away what it was gathered from. Returns the History as it was saved."""
    # Exceptions quote addresses and headers: a secret never reaches the folder's history, and so no report of it.
    history = replace(gathered, texts=masked_texts(gathered.texts))
    log.save(history, folder.path / "history.parquet")
    for written in folder.logs.glob("*.log"):
        mask_log(written)
    shutil.rmtree(folder.records)
    shutil.rmtree(folder.data, ignore_errors=True)
    return history
