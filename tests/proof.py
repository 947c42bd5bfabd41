"""How far the contracts are to be trusted, as figures in docs/contracts.md: `python -m tests.proof [TIMES]`, run by
`make contracts-proof`."""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import numpy as np

from jobharness.contracts.contract import Finding, Word
from tests.benchmarks.big import clean_history
from tests.defects import CRASHLESS, JOBS, PLANTS, Base, Plant, planted

PAGE = Path(__file__).parents[1] / "docs" / "contracts.md"
CLEAN_SEEDS = range(2, 22)


@cache
def base(crashes: bool) -> Base:
    """The clean history, made once in each process."""
    return Base(crashes)


def is_found(name: str, finding: Finding, change: Plant, word: Word) -> bool:
    """Whether the finding says the word and blames the job that the change is about, and no other."""
    if finding.word is not word or change.job is None:
        return finding.word is word
    # Beside too many calls of one job, those of others that follow within the window are too many as well.
    return change.job in finding.jobs if name == "upstream_rate_limit" else finding.jobs == [change.job]


def found(name: str, times: int) -> int:
    """Of so many violations of a contract, each planted at another place, how many it finds."""
    contract, plant, word = PLANTS[name]
    clean, random = base(name not in CRASHLESS), np.random.default_rng(1)
    changes = (plant(clean, random) for _ in range(times))
    return sum(is_found(name, contract.check(planted(clean, change)), change, word) for change in changes)


def blamed(seed: int) -> list[str]:
    """The contracts that say of a clean history, made from this seed, anything but that they hold."""
    histories = {crashes: clean_history(JOBS, seed, crashes) for crashes in (True, False)}
    return [
        name
        for name, (contract, _, _) in PLANTS.items()
        if contract.check(histories[name not in CRASHLESS]).word is not Word.HOLDS
    ]


def write_planted(times: int) -> bool:
    """Plant, count, write the table; whether all were found and nobody was blamed."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(PLANTS, pool.map(partial(found, times=times), PLANTS), strict=True))
        wrongly = [name for names in pool.map(blamed, CLEAN_SEEDS) for name in names]
    rows = [f"| `{name}` | {count} of {times} |" for name, count in counts.items()]
    said = (
        f"{sum(counts.values()):,} of {times * len(PLANTS):,} violations of {len(PLANTS)} contracts were found, each planted alone in a clean "
        f"history of {JOBS:,} jobs; in {len(CLEAN_SEEDS)} clean histories {len(wrongly)} contracts were broken or unknown."
    )
    write_block("planted", said, ["| contract | found |", "| --- | --- |", *rows])
    return all(count == times for count in counts.values()) and not wrongly


def write_block(block: str, said: str, table: list[str]) -> None:
    text = "\n".join([f"Written on {datetime.now(UTC):%Y-%m-%d}. {said}", "", *table])
    page, count = re.subn(
        rf"(<!-- {block}:begin -->\n).*?(\n?<!-- {block}:end -->)",
        lambda marks: f"{marks[1]}{text}\n<!-- {block}:end -->",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    assert count == 1, f"{PAGE} has no place for {block}"
    PAGE.write_text(page, encoding="utf-8")
    print(said)


if __name__ == "__main__":
    sys.exit(0 if write_planted(int(sys.argv[1]) if len(sys.argv) > 1 else 1000) else 1)
