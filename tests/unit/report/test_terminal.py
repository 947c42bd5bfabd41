"""How a run reads in a terminal."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.contract import Verdict, judge
from jobharness.contracts.finding import OFFENDERS, Finding, Word
from jobharness.contracts.observed import Observed
from jobharness.metrics.before_after import compare
from jobharness.metrics.gate import Crossing
from jobharness.metrics.measure import measure
from jobharness.report.comparison import comparisons
from jobharness.report.digest import Digest, digest
from jobharness.report.terminal import as_text, before_after_table, run_report, summary_table
from jobharness.runner.result import Result
from jobharness.scenario.model import Scenario
from tests.histories import history

PLAIN = {
    "title": "Jobs [and] brackets",
    "queue": {"adapter": "celery", "app": "shop:app"},
    "broker": {"kind": "redis"},
    "workload": {"arrivals": {"rate": "5/s"}, "duration": "1s", "job": [{"task": "shop.charge"}]},
}
SEEN = """
    0.000  worker-1  worker.ready          -
    1.000  producer  enqueue.begin         a  task=shop.charge
    1.001  producer  enqueue.acknowledged  a
    1.002  worker-1  job.running           a  task=shop.charge attempt=1
    1.003  harness   fault.hit             a  text=kill#1
    1.010  producer  enqueue.begin         b  task=shop.charge
    1.011  producer  enqueue.acknowledged  b
    1.012  worker-1  job.running           b  task=shop.charge attempt=1
    {end}
    1.200  producer  producer.done         -  value=2
"""
FINISHED = "1.100  worker-1  job.finished  a\n    1.101  worker-1  job.finished  b"


def result(end, source=None, crossings=(), **scenario):
    seen = history(SEEN.replace("{end}", end))
    built = Scenario.model_validate({**PLAIN, **scenario})
    about = {
        "scenario": built.model_dump(exclude_unset=True),
        "versions": {"queue": "5.7.0"},
        "broker": "redis 7",
        "app": {"settings": {"acks_late": False}, "python": "3.11"},
        "git": None,
        "machine": {"cores": 2},
    }
    return Result(
        scenario=built,
        source=source,
        folder=Path("reports/20260101-000000-charge-abcd"),
        history=seen,
        verdict=judge(seen, [Observed(), AtLeastOnce()]),
        metrics=measure(seen),
        crossings=crossings,
        about=about,
        repeat="jobharness run charge.toml --seed 1",
    )


def text_of(found):
    return as_text(run_report(found))


def test_broken_run_begins_with_the_verdict_in_a_sentence():
    lines = text_of(result("")).splitlines()
    assert lines[0] == "BROKEN: 2 of 2 acknowledged jobs were lost."
    assert lines[1] == "Jobs [and] brackets  (seed 1)"


def test_broken_run_tells_the_life_of_the_worst_and_how_many_share_its_fate():
    text = text_of(result(""))
    assert "lost: its execution was cut off and never repeated  (and 1 more job)" in text
    assert "+0.003 s  fault.hit             harness  kill#1" in text


def test_every_promise_is_listed_with_its_word_the_gravest_first():
    lines = [line.split()[:2] for line in text_of(result("")).splitlines()]
    assert lines.index(["broken", "at_least_once"]) < lines.index(["holds", "observed"])


def test_run_that_holds_says_so_and_tells_no_lives():
    text = text_of(result(FINISHED))
    assert text.startswith("HOLDS: everything that was promised held.")
    assert "What became of the worst" not in text


def test_run_that_could_not_see_says_that_it_is_no_pass():
    text = text_of(result("1.150  harness  run.cut_short  -  text=interrupted"))
    assert text.startswith("UNKNOWN: ")
    assert "The run could not see enough, so this is not a pass." in text


def test_gate_that_was_crossed_is_the_headline_where_every_contract_holds():
    crossing = Crossing("latency.p95", "crossed", "latency.p95 is 2.00 s, more than 1.00 s")
    assert text_of(result(FINISHED, crossings=[crossing])).startswith("GATE CROSSED: latency.p95 is 2.00 s, more than 1.00 s.")


def test_report_ends_with_where_to_look_and_how_to_repeat():
    assert text_of(result("")).splitlines()[-2:] == [
        "Report  reports/20260101-000000-charge-abcd",
        "Repeat  jobharness run charge.toml --seed 1",
    ]


def test_metrics_are_in_words_and_brackets_are_no_markup():
    text = text_of(result(FINISHED))
    assert "2 acknowledged, 2 completed, 0 lost, 0 stuck, 0 duplicated, 0 dead" in text
    assert "[and]" in text
    assert "\x1b" not in text


def test_narrow_terminal_cuts_nothing_off():
    words = as_text(run_report(result("")), width=50).split()
    assert "kill#1" in words
    assert max(len(line) for line in as_text(run_report(result("")), width=50).splitlines()) <= 50


def test_digest_survives_the_way_through_json():
    one = digest(result(""))
    assert Digest(**one.plain()) == one


def test_summary_has_a_row_a_run_and_names_known_gaps():
    lost = digest(result("", source=Path("lost.toml"), known_gap="early"))
    kept = digest(result(FINISHED, source=Path("kept.toml"), known_gap="early"))
    text = as_text(summary_table([lost, kept]))
    rows = [line.split() for line in text.splitlines()]
    assert rows[1][:6] == ["lost", "broken", "(known", "gap)", "2", "2"]
    assert rows[2][:5] == ["kept", "holds", "(known", "gap", "closed?)"]
    assert "Known gap in lost: 2 of 2 acknowledged jobs were lost." in text


@pytest.fixture
def pair(tmp_path):
    before = digest(result("", source=tmp_path / "before.toml"))
    after = digest(result(FINISHED, source=tmp_path / "after.toml", before="before.toml"))
    return before, after


def test_run_is_compared_with_the_counterpart_that_it_names(pair):
    (found,) = comparisons(pair)
    assert (found.before, found.after) == ("before", "after")
    assert comparisons(pair[1:]) == []
    assert comparisons(pair[:1]) == []


def test_before_and_after_show_counts_as_facts_and_warn_of_one_run_a_side(pair):
    text = as_text(before_after_table(comparisons(pair)[0]))
    assert ["jobs.lost", "2", "0", "better"] in [line.split() for line in text.splitlines()]
    assert "One run a side is no evidence of a difference in speed" in text


def test_runs_of_other_work_are_not_called_better_or_worse(pair):
    before, after = pair
    text = as_text(before_after_table(compare(before.side(), replace(after, variables={**after.variables, "seed": 2}).side())))
    assert ["jobs.lost", "2", "0"] in [line.split() for line in text.splitlines()]
    assert "they cannot be compared" in text


def test_offence_of_no_job_is_told_beneath_its_contract():
    told = pl.DataFrame(
        {"job": [None], "row": [3], "why": ["worker-1: 2000 descriptors per 1,000 jobs, more than 100"]}, schema=OFFENDERS
    )
    broken = Finding("resources", Word.BROKEN, "1 of 1 figures is beyond its bound", {}, told)
    lines = text_of(replace(result(FINISHED), verdict=Verdict((broken,)))).splitlines()
    beneath = lines[next(number for number, line in enumerate(lines) if line.startswith("broken  resources")) + 1]
    assert beneath.strip() == "worker-1: 2000 descriptors per 1,000 jobs, more than 100"
