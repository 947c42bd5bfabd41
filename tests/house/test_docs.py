"""What the documentation takes from the code is what the code says."""

import re
import subprocess
import sys
from pathlib import Path

from docs.pairs_page import PairsPage
from jobharness.queues import queue
from tests.benchmarks.conftest import PAGE, headings, rows_of
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
    assert told == {case.pair for case in NEWEST.values()}
    assert not [outcome for _, _, outcome, *_ in rows if not outcome.isdigit()]


def test_the_study_of_the_gate_tells_of_its_first_pool_too():
    """The page says what its generator would write; the rest of it is figures."""
    assert PAST in (ROOT / "docs" / "gate-study.md").read_text(encoding="utf-8")


def test_every_pair_has_its_leases():
    """But for APScheduler, whose job store one scheduler owns."""
    page = (ROOT / "docs" / "leases.md").read_text(encoding="utf-8").splitlines()
    _, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page if line.startswith("| "))
    told = {(queue.split()[0], broker.split()[0]) for queue, broker, *_ in rows}
    assert told == {case.pair for case in NEWEST.values() if case.pair[0] != "apscheduler"}


def test_every_figure_is_of_a_benchmark_that_there_is_and_every_pair_has_its_own():
    """Those of a benchmark that is measured otherwise today are gone."""
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert set(rows) == headings()
    named = [name for section in rows.values() for name in section]
    for pair in NEWEST:
        for measured in ("a worker's start to ready", "jobs/s with the agent", "jobs/s lost by the agent's instructions"):
            assert [name for name in named if name.startswith(f"{pair}: {measured}")], (pair, measured)


def test_page_of_pairs_keeps_the_line_of_what_is_not_made_anew(tmp_path):
    """And says which pairs it lacks."""
    pairs = {"rq on redis": ("rq", "redis"), "saq on redis": ("saq", "redis"), "huey on sqlite": ("huey", "sqlite")}
    page = PairsPage(tmp_path / "page.md", "# Pairs\n\n", ("queue", "broker", "pool", "settings"), pairs)
    for key, row in (
        (("saq", "redis", "safest"), "| saq 0.1 | redis 7 | default | safest |"),
        (("saq", "redis", "defaults"), "| saq 0.1 | redis 7 | default | defaults |"),
        (("rq", "redis", "defaults"), "| rq 3 | redis 7 | default | defaults |"),
        (("saq", "redis", "defaults"), "| saq 0.2 | redis 7 | default | defaults |"),
    ):
        page.put(key, row)
    assert (tmp_path / "page.md").read_text(encoding="utf-8").splitlines() == [
        "# Pairs",
        "",
        "| queue | broker | pool | settings |",
        "| --- | --- | --- | --- |",
        "| rq 3 | redis 7 | default | defaults |",
        "| saq 0.2 | redis 7 | default | defaults |",
        "| saq 0.1 | redis 7 | default | safest |",
        "",
        "Not made yet: huey on sqlite.",
    ]


def test_page_of_pairs_has_a_dash_where_a_line_lacks_a_new_column(tmp_path):
    pairs = {"rq on redis": ("rq", "redis"), "saq on redis": ("saq", "redis")}
    before = PairsPage(tmp_path / "page.md", "", ("queue", "broker", "worst at"), pairs)
    before.put(("rq", "redis"), "| rq 3 | redis 7 | EXEC: lost |")
    before.put(("saq", "redis"), "| saq 0.1 | redis 7 |  |")
    after = PairsPage(tmp_path / "page.md", "", ("queue", "broker", "took", "worst at"), pairs)
    after.put(("rq", "redis"), "| rq 3 | redis 7 | 58.1 | EXEC: lost |")
    *_, rq, saq = (tmp_path / "page.md").read_text(encoding="utf-8").splitlines()
    assert (rq, saq) == ("| rq 3 | redis 7 | 58.1 | EXEC: lost |", "| saq 0.1 | redis 7 | – |  |")


def test_every_further_ability_of_an_adapter_is_on_its_page_and_every_one_there_is_one():
    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    table = page.split("## What more it may know")[1].split("\n## ")[0]
    named = {word for line in table.splitlines() if line.startswith("| `") for word in re.findall(r"`(\w+)`", line.split("|")[1])}
    seam = set(re.findall(r"^- `(\w+)", queue.__doc__, re.MULTILINE))
    # Said elsewhere: what shapes it composes, and odd ways of a few libraries.
    assert seam - named == {"shapes", "inspected_with_broker", "number_from", "lists_held"}
    assert named - seam == set()
