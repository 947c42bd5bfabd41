"""How many small changes to the contracts the tests notice: `python -m tests.mutants [SAMPLE [SEED]]`, run by `make mutants`.

mutmut changes one expression at a time (a comparison, a number, a name in a call …), and the tests of the contracts should fail each time.
All mutants take some hours; SAMPLE of them, chosen by SEED, give the share within an exact interval. A mutant is noticed when a test failed;
one whose tests were ended because they went on for too long, as they may on a busy machine, is not.
"""

from __future__ import annotations

import argparse
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
ANY = "finding"  # The file with the fewest.
# What mutmut keeps as the exit code of the tests (mutmut/stats.py).
NOTICED = {1, 3}  # A test failed, or pytest itself did.
OTHERWISE = {
    0: "survived",
    5: "untested",
    33: "untested",
    255: "could not be tried",
    **dict.fromkeys((24, -24, 36, 152), "went on for too long"),
}


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


def try_all(names: list[str]) -> dict[str, int]:
    """How the tests of each of these ended. What was noticed before, by fewer tests, is not tried again."""
    known = all_mutants()
    if left := [name for name in names if known[name] not in NOTICED]:
        run(left)
    ended = {name: code for name, code in all_mutants().items() if name in names and code is not None}
    assert len(ended) == len(names), f"{len(names) - len(ended)} of {len(names)} mutants were not tried"
    return ended


def main(sample: int, seed: int) -> int:
    """Try, count, write the table. Returns 0 when at least nine in ten were noticed."""
    # It makes them all whichever it is asked for, and forgets what became of those whose function has changed.
    run([f"jobharness.contracts.{ANY}*"])
    names = sorted(all_mutants())
    ended = try_all(names if sample >= len(names) else sorted(Random(seed).sample(names, sample)))
    noticed = sum(code in NOTICED for code in ended.values())
    within = binomtest(noticed, len(ended)).proportion_ci()
    by_file: dict[str, Counter[bool]] = {}
    for name, code in ended.items():
        by_file.setdefault(name.split(".")[2], Counter())[code in NOTICED] += 1
    said = (
        f"{noticed:,} of {len(ended):,} mutants were noticed: {noticed / len(ended):.1%} ({within.low:.1%} to {within.high:.1%} of all "
        f"{len(names):,}, of which these were chosen by lot, seed {seed})."
    )
    rows = [f"| `{name}` | {count[True]} of {count.total()} |" for name, count in sorted(by_file.items())]
    write_block("mutants", said, ["| file | noticed |", "| --- | --- |", *rows])
    for name, code in ended.items():
        if code not in NOTICED:
            print(f"{OTHERWISE.get(code, f'ended with {code}')}: {name}")
    return 0 if noticed >= 0.9 * len(ended) else 1


if __name__ == "__main__":
    asked = argparse.ArgumentParser(prog="python -m tests.mutants")
    asked.add_argument("sample", type=int, nargs="?", default=700)
    asked.add_argument("seed", type=int, nargs="?", default=1)
    sys.exit(main(**vars(asked.parse_args())))
