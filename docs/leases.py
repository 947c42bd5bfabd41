"""Makes the lease proof of every pair of queue and broker and writes docs/leases.md: run by `make leases`.

What is tried is the job `succeed` of the conformance kit's apps, with the settings that `make maps` maps. It takes about a minute
a pair; where leases cannot be shortened, as long as three of them last.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobharness.errors import JobharnessError
from jobharness.explore.lease_proof import KindProof, LeaseProof
from jobharness.explore.ownership import Answer, Schedule
from jobharness.harness import Harness
from jobharness.scenario.model import Scenario

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.maps import cases  # found by the line above
from docs.pairs_page import PairsPage
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[1]
TOLD: Mapping[str, Mapping[str, Any]] = {
    "python": {"lasts": "20s", "found_within": "1s", "setting": "its own"},
    "saq": {"tries": 4},
}
"""What a scenario must say of a lease: how long that of the kit's home-grown queue lasts, which no adapter knows; of SAQ, whose
sweep on PostgreSQL is one worker's, that schedules are played until that worker has been the owner, and the other one, too."""

ALONE = frozenset(("apscheduler",))
"""Queues that one worker owns."""

HEAD = """\
# Leases of every pair

Can a job have two live owners, and can the stale one still settle it? (see [the lease proof](lease-proof.md)). *Pause*: its owner
is stopped for longer than the lease, and goes on. *Slow run*: it runs for longer than the lease; *blocking*: and blocks its
thread. *Stale owner settled*: what became of the first owner's acknowledgement while the second one ran the job. *Must outlast*
is what the lease has to be longer than, times two. It is told as the app has it; for the proof it was shortened where it can be.
"Safest" is as in [the maps](maps.md). APScheduler is left out: a job store has one scheduler, and a second one is no standby.

"""
COLUMNS = (
    "queue", "broker", "pool", "settings", "its lease", "pause", "slow run", "blocking", "stale owner settled", "rests on",
    "must outlast", "made on",
)  # fmt: skip
PAIRS = {name: pair for name, case in NEWEST.items() if (pair := case.pair)[0] not in ALONE}
PAGE = PairsPage(ROOT / "docs" / "leases.md", HEAD, COLUMNS, PAIRS)


def row_of(settings_name: str, scenario: Scenario, reports: Path) -> str:
    """Make the proof. A pair that cannot be proved here says why."""
    queue, broker = scenario.queue, scenario.broker.kind
    try:
        proof = Harness(ROOT, reports).prove_lease(scenario.with_(lease=dict(TOLD.get(queue.adapter, {}))))
    except JobharnessError as error:
        reason = str(error).splitlines()[0].replace(str(ROOT), ".").replace("|", "/")
        cells = [
            queue.adapter,
            broker,
            queue.pool or "default",
            settings_name,
            *("" for _ in range(6)),
            f"not proved: {reason}",
            "",
        ]
        return f"| {' | '.join(cells)} |"
    return _row(proof, settings_name)


def _row(proof: LeaseProof, settings_name: str) -> str:
    about, (kind,) = proof.about, proof.kinds
    queue = about["scenario"]["queue"]
    library = f"{queue['adapter']} {about['app']['version']}" if about["app"]["version"] else queue["adapter"]
    cells = [
        library,
        str(about["broker"]).partition(" (")[0],
        queue.get("pool") or "default",
        settings_name,
        _lease(proof),
        *(str(kind.answer(schedule)) for schedule in (Schedule.PAUSE, Schedule.SLOW, Schedule.BLOCKED)),
        _stale(kind),
        kind.clock,
        _outlast(kind, proof),
        f"{datetime.now(UTC):%Y-%m-%d}",
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _lease(proof: LeaseProof) -> str:
    terms = proof.terms
    if terms is None:
        return "not known"
    if terms.lasts_s == float("inf"):
        return f"none: {terms.words}"
    return f"{terms.words}: {terms.lasts_s:.4g} s" + (f" (`{terms.setting}`)" if terms.setting else "")


def _stale(kind: KindProof) -> str:
    """The gravest answer, where there was a stale owner."""
    found = [one.stale_settled for one in kind.played]
    return next((str(answer) for answer in Answer if answer in found), "–")


def _outlast(kind: KindProof, proof: LeaseProof) -> str:
    terms = proof.terms
    if terms is None or terms.lasts_s == float("inf"):
        return "–"
    if not kind.played[0].kept:
        return "the longest wait in a worker's hands: it is acknowledged before it runs"
    if kind.answer(Schedule.SLOW) is Answer.YES:
        return "the longest run"
    if kind.answer(Schedule.BLOCKED) is Answer.YES:
        return "the longest run that blocks"
    limit = f"; {terms.limit.setting}: the longest run" if terms.limit is not None else ""
    return ("the longest pause" if terms.scales or terms.renewed_s is not None else "the longest run") + limit


def main(wanted: list[str]) -> None:
    """Prove every pair, or those that are named, and write the page; a pair that is not proved keeps its line."""
    with tempfile.TemporaryDirectory() as reports:
        for settings_name, scenario in cases(wanted):
            if scenario.queue.adapter in ALONE:
                continue
            row = row_of(settings_name, scenario, Path(reports))
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            PAGE.put((scenario.queue.adapter, scenario.broker.kind, settings_name), row)


if __name__ == "__main__":
    main(sys.argv[1:])
