"""A history judged in parts gives the findings that it gives at once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from jobharness.contracts.contract import Verdict, judge
from jobharness.contracts.exactly_once import ExactlyOnce
from jobharness.contracts.parts import SEEN_WHOLE, judge_parts
from jobharness.errors import HistoryUnreadable
from jobharness.history.clocks import Node
from jobharness.history.frame import History
from jobharness.history.log import save
from jobharness.history.nodes import merge
from jobharness.history.parts import PartedHistory
from jobharness.history.shelf import FolderShelf
from tests.benchmarks.big import CLEAN, clean_history
from tests.oracles.generated import histories, samples, stops, ticks, traffic, upstream_calls

CONTRACTS = [*CLEAN.values(), ExactlyOnce()]


def _in_parts(history: History, jobs_at_once: int) -> Verdict:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.parquet"
        save(history, path)
        parted = PartedHistory(path)
        shelf = Path(folder) / "shelf"
        shelf.mkdir()
        return judge_parts(parted.run, parted.parts(jobs_at_once), CONTRACTS, FolderShelf(shelf))


def _facts(verdict: Verdict) -> dict[str, object]:
    return {
        finding.contract: (finding.word, finding.sentence, dict(finding.counts), sorted(finding.offenders.rows(), key=str))
        for finding in verdict.findings
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(histories(samples(), stops(), ticks(), traffic(), upstream_calls()))
def test_parts_add_up_to_the_whole(history: History) -> None:
    assert _facts(_in_parts(history, 3)) == _facts(judge(history, CONTRACTS))


def test_a_clean_history_holds_in_parts() -> None:
    """Clean, with crashes in it: jobs that were cut off ran again, so exactly-once delivery is no promise of it."""
    verdict = _in_parts(clean_history(100_000), 30_000)
    words = {finding.contract: str(finding.word) for finding in verdict.findings}
    assert words == {**dict.fromkeys(CLEAN, "holds"), "exactly_once": "broken"}


def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "history.parquet").write_text("not a history")
    with pytest.raises(HistoryUnreadable, match=r"is not a readable Parquet file") as refused:
        PartedHistory(tmp_path / "history.parquet")
    assert "\n" not in str(refused.value)


def test_what_several_nodes_told_is_not_judged_in_parts_where_something_is_open() -> None:
    told = clean_history(50)
    exact = merge([(Node("master"), told)], told.header)
    assert _facts(_in_parts(exact, 20)) == _facts(judge(exact, CONTRACTS))
    for node in (Node("east", bound_ns=1), Node("east", vanished=True)):
        verdict = _in_parts(merge([(Node("master"), told), (node, clean_history(1))], told.header), 20)
        assert {finding.sentence for finding in verdict.findings} == {SEEN_WHOLE}
        assert {str(finding.word) for finding in verdict.findings} == {"unknown"}
