"""The page of a comparison in a real browser, opened from disk: two versions, one ten per cent slower and with a lost job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobharness.report.digest import Digest
from jobharness.report.keep_trial import keep_trial
from jobharness.report.trial import Notes, Trial, TrialSide, trial
from jobharness.scenario.model import GateSpec
from tests.report.hand_made import ATTACK
from tests.report.test_page_in_browser import Opened

pytestmark = pytest.mark.real

PAIRS = 16


def run(number: int, latency_s: float, lost: int, name: str) -> Digest:
    def metric(value: float, unit: str, better: str = "lower") -> dict[str, Any]:
        return {"value": value, "unit": unit, "count": 200, "better": better}

    metrics = {
        "latency.p95": metric(latency_s, "s"),
        "run_time.p50": metric(latency_s / 5, "s"),
        "throughput": metric(50.0 + number % 3, "1/s", "higher"),
        "jobs.lost": metric(lost, "jobs"),
    }
    return Digest(
        title="A worker dies", source="scenarios/a.toml", before="", seed=number, verdict="broken" if lost else "holds",
        sentence="1 job was lost" if lost else "", known_gap="", exit_code=int(bool(lost)), folder=f"runs/{name}-{number}",
        repeat="jobharness run", story=(), metrics=metrics, variables={"setting": {"task_acks_late": name == "before"}},
        promises={"at_least_once": "broken" if lost else "holds"}, finished_at="2026-11-24T12:00:00+00:00",
    )  # fmt: skip


@pytest.fixture
def compared(tmp_path: Path) -> Trial:
    random = np.random.default_rng(1)
    base = 0.2 * random.lognormal(0, 0.02, PAIRS)
    slower = base * 1.15 * random.lognormal(0, 0.01, PAIRS)
    made = trial(
        Notes("A worker dies", owner="payments", expected=ATTACK, rollback="revert", reason="fewer duplicates"),
        TrialSide("v1", "commit aaaa", [run(n, float(base[n]), 0, "before") for n in range(PAIRS)]),
        TrialSide(ATTACK, "commit bbbb", [run(n, float(slower[n]), int(n == 3), "after") for n in range(PAIRS)]),
        {"latency.p95": GateSpec.model_validate({"regress": "10%"})},
        paired=True,
        files=[" shop/tasks.py | 2 +-", " 1 file changed"],
        command="jobharness ab scenarios/a.toml --before v1",
        folder=str(tmp_path / "reports" / "ab-1"),
    )
    Path(made.folder).mkdir(parents=True)
    keep_trial(made)
    return made


@pytest.fixture
def opened(browser: Any, compared: Trial) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    seen = Opened(context, Path(compared.folder) / "report.html")
    seen.page.wait_for_selector("html[data-drawn=yes]")
    yield seen
    assert seen.complaints == []
    context.close()


def test_it_is_drawn_from_disk_asks_for_nothing_and_stays_small(opened: Opened, compared: Trial) -> None:
    assert [url for url in opened.asked_for if not url.startswith(("data:", "blob:"))] == [opened.page.url]
    assert (Path(compared.folder) / "report.html").stat().st_size < 6_000_000
    assert opened.page.locator("#dots .point").count() == 3  # One for each relative metric.
    assert opened.page.locator("#dots .errorbar").count() >= 3
    assert opened.page.locator("#runs-1 .point").count() == 2 * PAIRS


def test_the_verdict_comes_first_and_says_what_was_newly_broken_and_what_paid(opened: Opened) -> None:
    assert opened.texts("main > section:first-child .word") == ["✕a promise is broken"]
    (headline,) = opened.texts(".headline")
    assert headline.startswith("Broken after the change: at_least_once. The gate is crossed: latency.p95. Worse: ")
    assert "at_least_once: newly broken" in opened.texts(".promises h3")
    (row,) = [text for text in opened.texts(".judged tbody tr") if text.startswith("latency.p95")]
    assert "worse" in row


def test_the_list_of_runs_leads_to_it(opened: Opened) -> None:
    opened.page.click(".crumb a")
    assert opened.texts("#h-compared ~ * h3, .promises h3")[0].startswith("A worker dies: v1 → ")
    opened.page.click(".promises h3 a")
    assert opened.page.url.endswith("/ab-1/report.html")
    opened.page.wait_for_selector("html[data-drawn=yes]")


def test_names_and_notes_are_shown_and_not_run(opened: Opened) -> None:
    assert ATTACK in opened.page.locator("h1").inner_text()
    assert opened.page.evaluate("window.pwned") is None


def test_what_is_read_off_the_chart_is_the_tables(opened: Opened) -> None:
    opened.page.evaluate("Plotly.Fx.hover('dots', [{curveNumber: 0, pointNumber: 0}])")
    told = opened.page.locator("#dots .hoverlayer").text_content()
    assert "latency.p95: worse, +1" in told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_it_fits_its_window_and_follows_the_readers_colours(
    browser: Any, compared: Trial, artefacts: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    seen = Opened(context, Path(compared.folder) / "report.html")
    seen.page.wait_for_selector("html[data-drawn=yes]")
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert seen.page.evaluate("getComputedStyle(document.querySelector('#dots .main-svg')).backgroundColor") == ground
    assert seen.complaints == []
    seen.page.screenshot(path=artefacts / f"comparison-{width}-{scheme}.png", full_page=True)
    context.close()
