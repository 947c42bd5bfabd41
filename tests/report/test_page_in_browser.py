"""The page of a run and the list of runs, in a real browser, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.hand_made import ATTACK, LOST, SAFE, published, scenario

pytestmark = pytest.mark.real


class Opened:
    """A page that is watched: its complaints, and the addresses it asked for."""

    def __init__(self, context: Any, path: Path) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.asked_for: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked_for.append(request.url))
        self.page.goto(path.as_uri())

    def drawn(self) -> Opened:
        """It, when its charts are there."""
        self.page.wait_for_selector("html[data-drawn=yes]")
        return self

    def texts(self, selector: str) -> list[str]:
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 1200, "height": 900})
    yield made
    made.close()


@pytest.fixture
def opened(context: Any, tmp_path: Path) -> Iterator[Opened]:
    seen = Opened(context, published(tmp_path / "reports" / "run-1")).drawn()
    yield seen
    assert seen.complaints == []


def test_the_page_opens_from_disk_without_a_complaint_and_asks_for_nothing_else(opened: Opened) -> None:
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in opened.asked_for if not url.startswith("data:")] == [opened.page.url]


def test_the_verdict_comes_first_in_a_sentence(opened: Opened) -> None:
    assert opened.texts("main > section:first-child .word") == ["✕broken"]
    assert opened.texts(".headline") == [
        "3 of 4 promises are broken. 1 of 3 acknowledged jobs were lost; 1 of 3 jobs were run more often than they asked for."
    ]


def test_each_promise_reads_as_a_sentence_with_its_mark(opened: Opened) -> None:
    assert opened.texts(".promises h3") == [
        "at_least_once: broken",
        "at_most_once: broken",
        "recovery: broken",
        "faults_hit: holds",
    ]
    assert opened.texts(".promises .mark") == ["✕", "✕", "✕", "✓"]


def test_a_click_on_a_fault_shows_what_it_hit(opened: Opened) -> None:
    opened.page.click("a.flag")
    assert opened.page.locator("#strike-1").get_attribute("open") == ""
    assert opened.texts("#strike-1 li") == ["job-aaaa1111 charge lost: never completed"]
    assert opened.page.locator(".flag.on").count() == 1


def test_the_fault_that_is_open_is_marked_in_the_chart(opened: Opened, expect: Any) -> None:
    def marked() -> list[float]:
        chart = "document.getElementById('timeline').layout"
        return opened.page.evaluate(f"[{chart}.shapes[0].opacity, {chart}.shapes[1].line.width]")

    assert marked() == [0, 1]
    opened.page.click("a.flag")
    shade = opened.page.locator("#timeline .shapelayer path[data-index='0']")
    expect(shade).to_have_css("opacity", "0.25")
    assert marked() == [0.25, 3]
    opened.page.click("#strike-1 summary")
    expect(shade).to_have_css("opacity", "0")


def test_enter_on_a_fault_shows_what_it_hit_and_its_job_leads_to_the_life_story(opened: Opened) -> None:
    opened.page.locator("a.flag").focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#strike-1 li").is_visible()
    opened.page.locator("#strike-1 li a").focus()
    opened.page.keyboard.press("Enter")
    story = opened.page.locator(".story:visible")
    assert story.count() == 1
    assert "fault.hit" in story.inner_text()
    assert "then nothing for 7.7 s, until the run ended" in story.inner_text()


def test_every_control_is_reached_by_the_tab_key_in_the_order_of_the_page(opened: Opened) -> None:
    seen: list[str] = []
    for _ in range(30):
        opened.page.keyboard.press("Tab")
        seen.append(
            opened.page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.textContent"
            )
        )
    wanted = ["skip", "plot", "flag", "filter", "promise", "unfold"]
    assert [name for name in dict.fromkeys(seen) if name in wanted] == wanted


def test_the_arrow_keys_read_values_off_the_timeline(opened: Opened) -> None:
    opened.page.locator("#plot").focus()
    opened.page.keyboard.press("ArrowRight")
    first = opened.page.locator("#readout").inner_text()
    assert "at 0 s" in first
    opened.page.keyboard.press("End")
    assert opened.page.locator("#readout").inner_text() != first
    assert opened.page.locator("#reading").is_visible()


def test_the_chart_has_every_panel_on_one_axis_of_time_and_says_what_the_table_says(opened: Opened) -> None:
    data, layout = opened.page.evaluate("(({data, layout}) => [data, layout])(document.getElementById('timeline'))")
    assert [one["name"] for one in data] == [
        "arrivals", "completions", "not completed", "of them not begun", "p50", "p95", "p99", "ready", "starting", "exited"
    ]  # fmt: skip
    assert {one["xaxis"] for one in data} == {"x"}
    assert [axis for axis in layout if axis.startswith("yaxis")] == ["yaxis", "yaxis2", "yaxis3", "yaxis4"]
    assert opened.page.locator("#timeline g[class^='y'][class$='tick']").count() > 6
    rows = opened.page.evaluate("[...document.querySelectorAll('#bins tbody tr')].map((row) => row.cells[3].textContent)")
    assert [str(value) for value in data[2]["y"][::2]] == rows


def test_lines_of_a_panel_are_told_apart_without_colour(opened: Opened) -> None:
    data = opened.page.evaluate("document.getElementById('timeline').data")
    marks = [
        (
            one["yaxis"],
            one.get("line", {}).get("dash"),
            one.get("fillpattern"),
            one["marker"].get("symbol"),
            one["marker"].get("pattern"),
        )
        for one in ({"marker": {}, **each} for each in data)
    ]
    assert len({str(mark) for mark in marks}) == len(marks)


def test_the_charts_follow_the_readers_colours_while_the_page_is_open(opened: Opened, expect: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    before = opened.page.evaluate(ground)
    opened.page.emulate_media(color_scheme="dark")
    assert opened.page.evaluate(ground) != before
    expect(opened.page.locator("#timeline .main-svg").first).to_have_css("background-color", opened.page.evaluate(ground))


def test_the_charts_are_as_wide_as_paper_when_printed_and_as_the_window_after_it(opened: Opened, expect: Any) -> None:
    chart = opened.page.locator("#timeline .main-svg").first
    before = chart.get_attribute("width")
    assert before != "640"
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(chart).to_have_attribute("width", "640")
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(chart).to_have_attribute("width", before)


def test_the_table_of_jobs_filters_by_words_and_by_promise(opened: Opened) -> None:
    rows = "#jobs tbody:visible .job"
    assert opened.texts(rows) == ["job-aaaa", "job-bbbb"]
    opened.page.fill("#filter", "receipt")
    assert (opened.texts(rows), opened.texts("#shown")) == (["job-bbbb"], ["1 of 2 jobs"])
    opened.page.fill("#filter", "no such job")
    assert opened.texts(rows) == []
    assert opened.page.locator("#none").is_visible()
    opened.page.fill("#filter", "")
    opened.page.select_option("#promise", "recovery")
    assert opened.texts(rows) == ["job-aaaa"]


def test_the_table_of_jobs_sorts_both_ways_and_says_so(opened: Opened) -> None:
    button = opened.page.locator("th.task button")
    button.click()
    assert opened.texts("#jobs tbody .task") == ["charge", "receipt"]
    assert opened.page.locator("th.task").get_attribute("aria-sort") == "ascending"
    button.focus()
    opened.page.keyboard.press("Enter")
    assert opened.texts("#jobs tbody .task") == ["receipt", "charge"]
    assert opened.page.locator("th.task").get_attribute("aria-sort") == "descending"


def test_a_script_in_an_argument_or_an_exception_is_shown_and_not_run(opened: Opened) -> None:
    for button in opened.page.locator(".unfold").all():
        button.click()
    shown = opened.page.locator("#jobs").inner_text()
    assert ATTACK.partition("<img")[0] in shown  # The argument.
    assert "ValueError: <script>window.pwned" in shown  # The exception.
    assert opened.page.evaluate("window.pwned") is None


def test_even_a_hole_in_the_escaping_would_run_nothing(context: Any, tmp_path: Path) -> None:
    page = published(tmp_path / "reports" / "run-1")
    holed = page.with_name("holed.html")
    holed.write_text(page.read_text(encoding="utf-8").replace("<footer>", f"<footer>{ATTACK}"), encoding="utf-8")
    seen = Opened(context, holed)
    assert seen.page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def test_a_secret_argument_is_masked(opened: Opened) -> None:
    opened.page.locator(".unfold").first.click()
    assert 'card_token="***"' in opened.page.locator(".story .call").first.inner_text()
    assert "4111-1111" not in opened.page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_runs_out_of_a_narrow_window_or_a_wide_one(
    browser: Any, tmp_path: Path, artefacts: Path, width: int, scheme: str
) -> None:
    reports = tmp_path / "reports"
    published(reports / "1-before", of=scenario(title="x" * 90))
    page = published(reports / "2-after", SAFE, of=scenario(before="killed.toml"), source="scenarios/hardened.toml")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in (page, reports / "1-before" / "report.html", reports / "index.html"):
        seen = Opened(context, path)
        if path.stem == "report":
            assert_flags_stand_over_their_lines(seen.drawn())
        seen.page.evaluate(
            "document.querySelectorAll('details').forEach((one) => { one.removeAttribute('name'); one.open = true; })"
        )
        for button in seen.page.locator(".unfold").all():
            button.click()
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width, path
        assert seen.complaints == []
        seen.page.screenshot(path=artefacts / f"{path.parent.name}-{path.stem}-{width}-{scheme}.png", full_page=True)
    context.close()


def assert_flags_stand_over_their_lines(seen: Opened) -> None:
    """The flags are the page's and the lines are Plotly's: both know the chart's margins."""
    flag = seen.page.locator(".flag i").first.bounding_box()
    line = seen.page.locator("#timeline .shapelayer path[data-index='1']").first.bounding_box()
    assert abs(flag["x"] + flag["width"] / 2 - line["x"] - line["width"] / 2) < 6


def test_without_a_script_everything_is_still_there_to_read(browser: Any, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    seen = Opened(context, published(tmp_path / "reports" / "run-1"))
    assert seen.page.locator(".story").first.is_visible()
    assert not seen.page.locator("#filter").is_visible()
    assert not seen.page.locator("#timeline").is_visible()
    seen.page.click(".values summary")
    assert seen.texts("#bins thead th") == ["at", "arrivals", "completions", "open", "waiting", "p50", "p95", "p99", "workers"]
    assert seen.texts("#bins tbody tr")[0] == "0 s 10/s 0/s 1 1 – – – 1"
    assert "worker-1 0 s 0.31 s ready -9" in seen.texts(".values tbody tr")
    assert len(seen.texts(".percentiles")) == 3
    context.close()


def test_before_and_after_stand_side_by_side_and_what_differs_is_named(context: Any, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    published(reports / "1-before")
    changed = scenario(before="killed.toml", queue={"adapter": "celery", "app": "shop:app", "workers": 1, "pool": "solo"})
    seen = Opened(context, published(reports / "2-after", SAFE, of=changed, source="scenarios/hardened.toml"))
    assert "Lost 1 0 −1 better" in seen.texts(".compare:not(.variables) tbody tr")
    assert any("pool" in row and "not set" in row and "solo" in row for row in seen.texts(".variables tbody tr"))
    seen.page.click("#h-comparison ~ p a")
    assert seen.page.url.endswith("/1-before/report.html")


def test_the_list_of_runs_leads_to_each_and_shows_what_became_of_the_scenario(context: Any, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    published(reports / "1", LOST)
    published(reports / "2", SAFE, contracts=())
    seen = Opened(context, reports / "index.html")
    assert seen.texts(".strip a") == ["✕", "?"]
    seen.page.click(".strip a:first-child")
    assert seen.page.url.endswith("/1/report.html")
    assert seen.page.locator(".crumb a").get_attribute("href") == "../index.html"
