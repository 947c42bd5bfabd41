"""The runs of a session as a page of CI shows them."""

from pathlib import Path

import pytest

from jobharness.report.digest import Digest
from jobharness.report.summary import error_lines, markdown


def run(name="killed", verdict="broken", exit_code=1, **more):
    plain = {
        "title": "A worker, killed", "source": f"/project/scenarios/{name}.toml", "before": "", "seed": 1, "sentence": "1 job | lost",
        "known_gap": "", "folder": f"reports/{name}", "repeat": f"pytest --jobharness scenarios/{name}.toml",
        "story": ("lost: never completed", "  +0.0 s enqueue.begin"),
        "metrics": {"jobs.lost": {"value": 1, "unit": "jobs", "count": 3, "better": "lower"}}, "variables": {}, "promises": {},
        "finished_at": "",
    }  # fmt: skip
    return Digest(**{**plain, "verdict": verdict, "exit_code": exit_code, **more})


PASSED = {"verdict": "holds", "exit_code": 0}
RED = {
    "broken": run(),
    "unknown": run(verdict="unknown", exit_code=3),
    "gate": run(verdict="holds", exit_code=4),
    "gap closed": run(**PASSED, known_gap="why"),
}
FINE = {"holds": run(**PASSED), "gap open": run(known_gap="why")}


@pytest.mark.parametrize("name", RED)
def test_a_red_run_is_marked_in_its_file_and_told_with_what_repeats_it(name):
    (line,) = error_lines([RED[name]], Path("/project"))
    assert line.startswith("::error file=scenarios/killed.toml,line=1,title=A worker%2C killed%3A ")
    assert line.endswith("::1 job | lost")
    assert "Repeat: `pytest --jobharness scenarios/killed.toml`" in markdown([RED[name]])


@pytest.mark.parametrize("name", FINE)
def test_a_run_that_is_as_expected_is_a_row_and_no_more(name):
    assert list(error_lines([FINE[name]], Path("/project"))) == []
    assert "Repeat" not in markdown([FINE[name]])


def test_the_whole_page():
    assert markdown([run(), run("calm", **PASSED)]) == (
        "### jobharness\n\n"
        "| scenario | verdict | jobs | lost | stuck | twice | hit | p95 |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| killed | ✕ broken | – | 1 | – | – | – | – |\n"
        "| calm | ✓ holds | – | 1 | – | – | – | – |\n\n"
        "**killed**: 1 job \\| lost\n\n"
        "```text\nlost: never completed\n  +0.0 s enqueue.begin\n```\n\n"
        "Repeat: `pytest --jobharness scenarios/killed.toml`\n\n"
    )


def test_a_sentence_of_several_lines_stays_one_annotation():
    (line,) = error_lines([run(sentence="50% lost\nand more")], Path("/project"))
    assert line.endswith("::50%25 lost%0Aand more")
