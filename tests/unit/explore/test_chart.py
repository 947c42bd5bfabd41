"""A map as a value: its verdict, its words, and its way through JSON."""

import pytest

from jobharness.errors import RunUnreadable
from jobharness.explore.chart import CrashMap, Tried, allowed_by
from jobharness.explore.outcome import Outcome, Word
from jobharness.explore.points import points_of
from jobharness.explore.steps import steps_of
from jobharness.report.crash_page import publish_map
from jobharness.report.crash_table import crash_report
from jobharness.report.terminal import as_text
from tests.unit.explore.test_steps import CELERY, IDLE

STEPS = tuple(steps_of(CELERY, IDLE))
POINTS = points_of(STEPS, children=False)


def tried(point, *words):
    return Tried(
        point, tuple(Outcome(Word(word), 2 if word == "twice" else 1) for word in words), tuple(range(1, len(words) + 1))
    )


def chart(tmp_path, *all_tried, delivery="at-least-once", **more):
    about = {"run": "20260101-a", "finished_at": "2026-01-01T00:00:00+00:00", "seed": 1, "scenario": {"title": "A map"}}
    return CrashMap("A map", "shop.charge", tmp_path, STEPS, all_tried, allowed_by(delivery, None), about=about, **more)


def test_outcomes_that_differ_are_told_as_such():
    assert tried(POINTS[0], "lost", "once", "lost", "once", "lost").text == "lost in 3 of 5"
    assert tried(POINTS[0], "lost", "lost").text == "lost"


def test_try_that_could_not_tell_does_not_hide_those_that_could():
    assert tried(POINTS[0], "unknown", "lost").text == "lost"
    assert tried(POINTS[0], "unknown").text == "unknown"


def test_verdict_follows_the_promise(tmp_path):
    points = tried(POINTS[0], "once", "once"), tried(POINTS[1], "twice", "twice")
    assert chart(tmp_path, *points).verdict == "holds"
    assert chart(tmp_path, *points, delivery="exactly-once").verdict == "broken"
    assert chart(tmp_path, tried(POINTS[0], "lost", "lost")).verdict == "broken"
    assert chart(tmp_path, tried(POINTS[0], "lost", "lost"), delivery="at-most-once").verdict == "holds"


def test_map_with_gaps_is_no_pass(tmp_path):
    assert chart(tmp_path, tried(POINTS[0], "once"), left_out=("x",)).verdict == "unknown"
    assert chart(tmp_path, tried(POINTS[0], "once"), tried(POINTS[1], "unknown")).verdict == "unknown"
    assert chart(tmp_path).verdict == "vacuous"


def test_one_flaky_loss_breaks_the_promise(tmp_path):
    assert chart(tmp_path, tried(POINTS[0], "once", "lost", "once", "once", "once")).verdict == "broken"


def test_map_survives_its_file(tmp_path):
    whole = chart(tmp_path, tried(POINTS[0], "lost", "once"), noise=("PUBLISH",), waits=("a second",))
    whole.save()
    assert CrashMap.load(tmp_path) == whole


def test_what_is_no_map_is_refused(tmp_path):
    (tmp_path / "crashmap.json").write_text("{}")
    with pytest.raises(RunUnreadable, match=r"crashmap\.json"):
        CrashMap.load(tmp_path)


def test_page_and_table_show_every_point(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    whole = chart(run, *(tried(point, "lost" if n == 0 else "once") for n, point in enumerate(POINTS)))
    page = publish_map(whole).read_text(encoding="utf-8")
    assert page.count('class="trial"') == len(POINTS)
    assert "<script" not in page
    text = as_text(crash_report(whole))
    assert text.startswith("BROKEN: 10 crashes that the broker can tell apart: 1 lost, 9 once.")
    assert "jobharness replay" in text


def test_broken_invariant_breaks_a_map_whose_outcomes_are_allowed(tmp_path):
    twice = Outcome(Word.TWICE, 2, wrong={"charged once": "o-1, 2"})
    point = Tried(POINTS[1], (Outcome(Word.TWICE, 2), twice), (1, 2))
    found = chart(tmp_path, tried(POINTS[0], "once"), point)
    assert found.verdict == "broken"
    assert (point.wrong, point.telling) == ({"charged once": "o-1, 2"}, 2)
    text = as_text(crash_report(found), 120)
    assert "'charged once' broken at 1" in text and "twice !" in text and "! charged once: o-1, 2" in text
    found.save()
    assert CrashMap.load(tmp_path) == found
    assert "charged once: broken (o-1, 2)" in publish_map(found).read_text(encoding="utf-8")
