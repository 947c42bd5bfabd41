"""How many small changes to the contracts the tests notice: `python -m tests.mutants [SAMPLE]`, run by `make mutants`.

mutmut changes one expression at a time (a comparison, a number, a name in a call …), and the tests of the contracts should fail each time.
All mutants take some hours; SAMPLE of them, chosen by a fixed seed, give the share within an exact interval.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from scipy.stats import binomtest

from tests.proof import write_block

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "mutants" / "jobharness" / "contracts"
SEED = 1
ANY = "contract"
# What mutmut keeps as the exit code of the tests (mutmut/utils/format_utils.py).
SURVIVED, UNTESTED = {0}, {5, 33}
KILLED = {1, 3, 24, -24, 36, 152, 255}  # Failed, internal error of pytest, or longer than its time limit.


def all_mutants() -> dict[str, int | None]:
    """Every mutant there is, and how its tests ended; None where they were not run."""
    return {
        name: code
        for path in sorted(FOLDER.glob("*.meta"))
        for name, code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items()
    }


def run(names: list[str]) -> None:
    """Let mutmut make the mutants, and try these."""
    # One thread of polars each: two mutants are tried side by side.
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run(
        [mutmut, "run", "--max-children", "2", *names], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False
    )


def main(sample: int) -> int:
    """Try, count, write the table. Returns 0 when at least nine in ten were noticed."""
    # It makes them all whichever it is asked for, and forgets what became of those whose function has changed.
    run([f"jobharness.contracts.{ANY}*"])
    names = sorted(all_mutants())
    chosen = names if sample >= len(names) else sorted(Random(SEED).sample(names, sample))
    known = all_mutants()
    run([name for name in chosen if known[name] is None])
    known = all_mutants()
    ended = {name: known[name] for name in chosen if known[name] is not None}
    killed = sum(code in KILLED for code in ended.values())
    within = binomtest(killed, len(ended)).proportion_ci()
    by_file: dict[str, Counter[bool]] = {}
    for name, code in ended.items():
        by_file.setdefault(name.split(".")[2], Counter())[code in KILLED] += 1
    strange = {name: code for name, code in ended.items() if code not in KILLED | SURVIVED | UNTESTED}
    assert not strange, f"what became of these? {strange}"
    said = (
        f"{killed:,} of {len(ended):,} mutants were noticed: {killed / len(ended):.1%} ({within.low:.1%} to {within.high:.1%} of all "
        f"{len(names):,}, of which these were chosen by lot)."
    )
    rows = [f"| `{name}` | {count[True]} of {count.total()} |" for name, count in sorted(by_file.items())]
    write_block("mutants", said, ["| file | noticed |", "| --- | --- |", *rows])
    for name, code in ended.items():
        if code not in KILLED:
            print("survived:" if code in SURVIVED else "untested:", name)
    return 0 if killed >= 0.9 * len(ended) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 800))
