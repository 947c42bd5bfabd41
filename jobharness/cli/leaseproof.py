"""`jobharness leaseproof`: can a job have two live owners, can a stale one still settle it, and how long must a lease be?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobharness.cli.crashmap import CODES, hand_out, line
from jobharness.harness import Harness
from jobharness.report.lease_table import proof_report

__all__ = ["prove"]


def prove(
    scenario: Path, job: str | None, times: Path | None, json_file: Path | None, reports: Path | None, changes: dict[str, Any]
) -> int:
    """Make the proof and print it; returns the exit code."""
    with line() as tell:
        folder = times.absolute() if times is not None else None
        proof = Harness(Path.cwd(), reports).prove_lease(scenario.absolute(), job, folder, tell, **changes)
    hand_out(proof_report(proof), proof.plain(), json_file)
    return CODES[proof.verdict]
