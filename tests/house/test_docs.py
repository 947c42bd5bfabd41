"""What the documentation takes from the code is what the code says."""

import subprocess
import sys
from pathlib import Path

from tests.study.judge import PAST
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[2]


def test_generated_parts_are_up_to_date():
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_pair_has_its_outcome():
    """Each pair of the conformance kit has its line on the page that `make outcomes` writes, and none of them says "not run"."""
    page = (ROOT / "docs" / "outcomes.md").read_text(encoding="utf-8").splitlines()
    _, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page if line.startswith("| "))
    told = {(queue.split()[0], broker.split()[0]) for queue, broker, *_ in rows}
    assert told == {(case.subject.queue["adapter"], case.subject.broker["kind"]) for case in NEWEST.values()}
    assert not [outcome for _, _, outcome, *_ in rows if not outcome.isdigit()]


def test_the_study_of_the_gate_tells_of_its_first_pool_too():
    """The page says what its generator would write; the rest of it is figures."""
    assert PAST in (ROOT / "docs" / "gate-study.md").read_text(encoding="utf-8")


def test_every_pair_has_its_leases():
    """But for APScheduler, whose job store one scheduler owns."""
    page = (ROOT / "docs" / "leases.md").read_text(encoding="utf-8").splitlines()
    _, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page if line.startswith("| "))
    told = {(queue.split()[0], broker.split()[0]) for queue, broker, *_ in rows}
    pairs = {(case.subject.queue["adapter"], case.subject.broker["kind"]) for case in NEWEST.values()}
    assert told == {pair for pair in pairs if pair[0] != "apscheduler"}
