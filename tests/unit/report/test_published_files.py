"""What stands in a run's folder and beside it, with no browser: the page, the verdict for programs, the list of runs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobharness.cli.main import app
from jobharness.errors import HistoryUnreadable, RunUnreadable
from jobharness.history.clocks import Node
from jobharness.history.log import load, save
from jobharness.history.nodes import merge
from jobharness.report.account import of_folder
from jobharness.report.data import VerdictFile
from jobharness.report.difference import comparison_with, find_before, rows_of
from jobharness.report.drawing import drawing_of
from jobharness.report.index import entries, write_index
from jobharness.report.offenders import planned_arguments
from jobharness.report.publish import rebuild
from tests.histories import history
from tests.report.hand_made import ATTACK, LOST, SAFE, published, scenario


def test_a_page_made_anew_is_the_page_that_was_published(tmp_path: Path) -> None:
    page = published(tmp_path / "reports" / "1")
    before = page.read_text(encoding="utf-8")
    page.unlink()
    assert rebuild(page.parent) == page
    assert page.read_text(encoding="utf-8") == before


def test_a_run_of_an_older_version_without_promises_plan_and_metrics_still_makes_a_page(tmp_path: Path) -> None:
    folder = published(tmp_path / "reports" / "1").parent
    judged = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    for finding in judged["findings"]:
        del finding["promise"]
    (folder / "verdict.json").write_text(json.dumps(judged), encoding="utf-8")
    (folder / "plan.jsonl").unlink()
    (folder / "metrics.json").unlink()
    assert "at_least_once" in rebuild(folder).read_text(encoding="utf-8")


def test_the_figures_of_each_task_stand_on_the_page_and_in_a_file(tmp_path: Path) -> None:
    folder = published(tmp_path / "reports" / "1").parent
    tasks = json.loads((folder / "breakdown.json").read_text(encoding="utf-8"))["tasks"]
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert len(tasks) > 1
    assert sum(one["jobs.acknowledged"]["value"] for one in tasks.values()) == metrics["jobs.acknowledged"]["value"]
    lost = {task: one["jobs.lost_or_stuck"]["value"] for task, one in tasks.items()}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for task, count in lost.items():
        row = re.search(rf'<th scope="row">{re.escape(task.rpartition(".")[2])}</th>(.*?)</tr>', page)
        assert row and re.findall(r">([^<]*)</td>", row[1])[1] == f"{count}"


def test_the_nodes_of_a_merged_history_stand_on_the_page_and_nothing_does_where_there_are_none(tmp_path: Path) -> None:
    folder = published(tmp_path / "reports" / "1").parent
    assert 'id="h-nodes"' not in (folder / "report.html").read_text(encoding="utf-8")
    told = load(folder / "history.parquet")
    east = Node("east<1>", "h2", -7_000_000_000, 250_000, vanished=True)
    save(
        merge([(Node("master", "h1"), told), (east, history("1 worker-9 job.running x"))], told.header),
        folder / "history.parquet",
    )
    text = rebuild(folder).read_text(encoding="utf-8")
    rows = re.findall(r"<tr>(.*?)</tr>", text[text.index('id="h-nodes"') :].partition("</table>")[0])
    cells = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in rows]
    assert cells[0] == ["node", "host", "clock ahead by", "known to", "jobs", "events", "end"]
    assert cells[1][:4] == ["master", "h1", "all are moved to it", "exact"] and cells[1][-1] == "whole"
    assert cells[2] == ["east&lt;1&gt;", "h2", "7.000 s", "± 250.000 us", "1", "1", "vanished"]


def test_a_folder_that_holds_no_run_or_one_of_a_newer_version_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(RunUnreadable, match=r"holds no run\.json"):
        rebuild(tmp_path)
    folder = published(tmp_path / "reports" / "1").parent
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**about, "schema": 99}), encoding="utf-8")
    with pytest.raises(RunUnreadable, match=r"has schema 99; this version reads up to 1\. Update"):
        rebuild(folder)
    (folder / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunUnreadable, match="cannot be read"):
        rebuild(folder)
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "history.parquet").unlink()
    with pytest.raises(HistoryUnreadable):
        rebuild(folder)


CALLS = """
    1.110  upstream  upstream.request      job-{a}  task="POST /mail"
    1.115  upstream  upstream.retry_after  job-{a}  task="POST /mail" value=2s
    1.115  upstream  upstream.answered     job-{a}  task="POST /mail" value=429
""".format(a="aaaa1111")


def test_calls_to_the_upstream_have_a_ledger_with_its_quota(tmp_path: Path) -> None:
    of = scenario(upstream={"quota": [{"kind": "sliding-window", "limit": 10}]})
    text = published(tmp_path / "1", LOST + CALLS, of=of).read_text(encoding="utf-8")
    assert "Its quota: at most 10 within 1 s (sliding-window)." in text
    assert '<th scope="row">POST /mail</th><td class="n">1</td><td class="n">0</td><td class="n">1</td>' in text
    assert 'id="h-ledger"' not in published(tmp_path / "2").read_text(encoding="utf-8")


def test_the_page_is_one_file_that_names_no_address_outside_of_its_folder(tmp_path: Path) -> None:
    text = published(tmp_path / "reports" / "1").read_text(encoding="utf-8")
    assert re.findall(r"(?:src|href)=[\"'](?:https?:)?//", text) == []
    assert "@import" not in text
    assert "url(" not in text
    assert "<script>window.pwned" not in text
    script, rest = len(drawing_of({}).plotly), len(text)
    assert script < 2_100_000 and rest - script < 200_000


def test_the_verdict_for_programs_keeps_its_published_shape(tmp_path: Path) -> None:
    folder = published(tmp_path / "reports" / "1").parent
    judged = VerdictFile.model_validate_json((folder / "verdict.json").read_text(encoding="utf-8"), strict=True)
    assert (judged.verdict, judged.exit_code) == ("broken", 1)
    lost = next(finding for finding in judged.findings if finding.contract == "at_least_once")
    assert [offence.job for offence in lost.offences] == ["job-aaaa1111"]
    assert [event.event for event in lost.stories[0].events][-1] == "fault.hit"


def test_the_arguments_of_a_job_are_found_by_its_planned_moment_and_their_secrets_masked(tmp_path: Path) -> None:
    plan = published(tmp_path / "reports" / "1").parent / "plan.jsonl"
    seen = history(LOST)
    assert planned_arguments(seen, plan, [0, 2]) == {0: f'{json.dumps(ATTACK)}, card_token="***"', 2: ""}
    assert planned_arguments(seen, plan, [0], mask=["card"])[0].endswith('card_token="***"')


def test_arguments_are_not_guessed_where_the_first_or_the_last_planned_job_was_not_seen(tmp_path: Path) -> None:
    plan = published(tmp_path / "reports" / "1").parent / "plan.jsonl"
    without_last = history("\n".join(line for line in LOST.splitlines() if "cccc3333" not in line))
    assert planned_arguments(without_last, plan, [0]) == {}
    assert planned_arguments(history(LOST), tmp_path / "no-plan", [0]) == {}


def test_a_recovery_that_never_came_is_not_shown_as_a_fast_one(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    published(reports / "1")
    after = published(reports / "2", SAFE, of=scenario(before="killed.toml"), source="scenarios/hardened.toml").parent
    account = of_folder(after)
    before = find_before(account)
    assert before is not None
    assert before.href == "../1/report.html"
    (row,) = (row for row in rows_of(comparison_with(before, account)) if row.label == "Slowest recovery")
    assert (row.before, row.after, row.change) == ("never", "1.15 s", "")


def test_the_newest_run_of_the_scenario_before_is_chosen_and_an_unfinished_one_passed_over(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name in ("1", "2", "3"):
        published(reports / name)
    (reports / "3" / "verdict.json").unlink()
    published(reports / "sample")  # Kept for long, and newer than nothing.
    after = published(reports / "4", SAFE, of=scenario(before="killed.toml"), source="scenarios/hardened.toml").parent
    before = find_before(of_folder(after))
    assert before is not None
    assert before.href == "../2/report.html"
    assert find_before(of_folder(reports / "2")) is None


def test_the_list_of_runs_passes_over_what_is_no_finished_run(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    published(reports / "1", finished_at="2026-11-21T00:00:00+00:00")
    published(reports / "2", SAFE)
    (reports / "3").mkdir()
    (reports / "3" / "run.json").write_text("{}", encoding="utf-8")
    assert [(entry.folder, entry.word, entry.lost) for entry in entries(reports)] == [("2", "holds", 0), ("1", "broken", 1)]
    shutil.rmtree(reports / "1")
    assert "1/report.html" not in write_index(reports).read_text(encoding="utf-8")


def test_the_command_makes_the_page_of_a_run_by_its_name_or_the_beginning_of_it(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    page = published(reports / "20261122-killed-1")
    published(reports / "20261122-killed-2")
    page.unlink()
    run = CliRunner().invoke
    made = run(app, ["report", "20261122-killed-1", "--reports", str(reports)])
    assert (made.exit_code, made.output.strip()) == (0, str(page))
    assert page.exists()
    assert run(app, ["report", "20261122", "--reports", str(reports)]).exit_code == 2  # Two begin like that.
    assert run(app, ["report", "nothing", "--reports", str(reports)]).exit_code == 2
    assert run(app, ["schema", "verdict"]).exit_code == 0


def test_a_run_that_ended_before_its_first_job_has_a_page_that_says_so(tmp_path: Path) -> None:
    page = published(tmp_path / "reports" / "1", "", app=None, git=None, broker="", cut_short="the broker <b>never</b> came up")
    text = page.read_text(encoding="utf-8")
    assert "No verdict: the run could not see enough." in text
    assert "The broker &lt;b&gt;never&lt;/b&gt; came up." in text


def test_a_run_in_which_no_job_completed_has_a_page_without_latencies(tmp_path: Path) -> None:
    text = published(
        tmp_path / "reports" / "1",
        """
        1.000  producer  enqueue.begin         a  value=1s
        1.010  producer  enqueue.acknowledged  a
        1.020  harness   run.phase             -  text=stop
        """,
    ).read_text(encoding="utf-8")
    assert "1 of 1 acknowledged jobs were lost" in text
    assert "Latency of the jobs that arrived then" not in text


def test_a_page_that_cannot_be_drawn_keeps_no_verdict_from_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(account: object) -> str:
        raise ZeroDivisionError("<b>planted</b>")

    monkeypatch.setattr("jobharness.report.publish.page", draw)
    with pytest.warns(RuntimeWarning, match="could not be drawn; its verdict stands"):
        page = published(tmp_path / "reports" / "1")
    assert json.loads((page.parent / "verdict.json").read_text(encoding="utf-8"))["verdict"]
    assert "&lt;b&gt;planted&lt;/b&gt;" in page.read_text(encoding="utf-8")


def test_a_lease_proof_has_its_page_and_no_history(tmp_path: Path) -> None:
    for name in ("leaseproof.json", "run.json", "report.html"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert rebuild(tmp_path) == tmp_path / "report.html"
