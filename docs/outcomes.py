"""Kills a worker in the middle of a job on every pair of queue and broker, and writes docs/outcomes.md: run by `make outcomes`.

What is killed are the apps of the conformance kit, with the library's defaults, so the table shows what a user gets who changes
nothing. It takes a few minutes a pair at most: a job that does not come back is waited for as long as `WITHIN`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from jobharness.conformance import Job, Subject
from jobharness.contracts.contract import Word
from jobharness.errors import JobharnessError
from jobharness.harness import Harness
from jobharness.runner.result import Result
from jobharness.scenario.model import Scenario

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.pairs_page import PairsPage  # found by the line above
from tests.support.subjects import NEWEST, Case

ROOT = Path(__file__).parents[1]
WITHIN = "150s"
HEAD = f"""\
# What happens to a job whose worker is killed

On each pair, two workers run jobs of the [conformance kit](adapters.md) with the library's defaults, but for leases that would
outlast a reader's patience: django-q2's `retry` is 15 s, and the home-grown queue's lease 20 s. Three times a worker is
killed (SIGKILL of the worker and all it started) in the middle of a job, and a process manager starts it again. A job that has
not come back {WITHIN} later counts as lost, or as stuck where the broker still holds it. Written by `make outcomes`.

"""
COLUMNS = ("queue", "broker", "killed mid-job", "lost", "stuck", "run twice", "back, the slowest after", "on")
PAGE = PairsPage(ROOT / "docs" / "outcomes.md", HEAD, COLUMNS, {name: case.pair for name, case in NEWEST.items()})


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    queue: str
    broker: str
    outcome: str

    def __str__(self) -> str:
        return f"| {self.queue} | {self.broker} | {self.outcome} | {datetime.now(UTC):%Y-%m-%d} |"


def scenario_of(subject: Subject, job: Job) -> Scenario:
    """Jobs that run for a second, by themselves or until the library's time limit, and three kills in the middle of one."""
    queue = subject.scenario().model_dump(exclude_unset=True)["queue"]
    env = {**queue["env"], "SAQ_SWEEPS": "1"}  # The kit keeps SAQ from sweeping, and so from finding jobs of dead workers.
    return Scenario.model_validate(
        {
            "title": f"outcome of {subject.name}",
            "queue": {"workers": 2, **queue, "env": env, "ready_within": "60s"},
            "broker": dict(subject.broker),
            "workload": {
                "arrivals": {"process": "constant", "rate": "1/s"},
                "duration": "12s",
                "job": [{"task": job.task, "args": [1], "options": dict(job.options)}],
            },
            "fault": [{"kind": "kill", "target": "tree", "on": "job.running", "delay": "300ms", "every": "3s", "times": 3}],
            "contract": {"delivery": "exactly-once", "recovery": WITHIN},
            "drain": {"at_most": "600s"},
        }
    )


def row_of(subject: Subject, job: Job, reports: Path) -> Row:
    """Run it. A pair that cannot be run here says why."""
    try:
        result = Harness(ROOT, reports).run(scenario_of(subject, job))
    except JobharnessError as error:
        adapter, broker = subject.queue["adapter"], subject.broker["kind"]
        reason = str(error).splitlines()[0].replace(f"{ROOT}", ".")
        return Row(str(adapter), str(broker), f"not run: {reason} | | | |")
    return Row(*_names(result), _outcome(result))


def _names(result: Result) -> tuple[str, str]:
    about = result.about
    return f"{result.scenario.queue.adapter} {about['app']['version']}", str(about["broker"]).partition(" (")[0]


def _outcome(result: Result) -> str:
    counts, metrics = result.verdict["exactly_once"].counts, result.metrics
    observed = result.verdict["observed"]
    if observed.word is not Word.HOLDS:
        return f"unknown: {observed.sentence} | | | |"
    slowest = metrics["recovery.max"].value
    back = "-" if slowest is None else f"{slowest:.1f} s" if slowest < inf else f"{metrics['recovery.never']} never came back"
    return (
        f"{int(metrics['faults.jobs_hit'].value or 0)} | {counts['lost']} | {counts['stuck']} | {counts['duplicated']} | {back}"
    )


def cases(wanted: list[str]) -> Iterator[Case]:
    """The subjects of the conformance kit, or those that are named. Raises: SystemExit for a name that there is not."""
    if strange := [name for name in wanted if name not in NEWEST]:
        raise SystemExit(f"there is no pair {', '.join(map(repr, strange))}; there are: {', '.join(NEWEST)}")
    yield from (case for name, case in NEWEST.items() if not wanted or name in wanted)


def main(wanted: list[str]) -> None:
    """Run every pair, or those that are named, and write the page; a pair that is not run keeps its line."""
    with tempfile.TemporaryDirectory() as reports:
        for case in cases(wanted):
            subject = case.subject_there()
            row = row_of(subject, case.linger, Path(reports))
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            PAGE.put(case.pair, str(row))


if __name__ == "__main__":
    main(sys.argv[1:])
