"""A history judged in parts gives the findings that it gives at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Verdict, Word, judge
from jobharness.contracts.exactly_once import ExactlyOnce
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.parts import SEEN_WHOLE, judge_parts
from jobharness.contracts.promise import Evidence, Promise
from jobharness.errors import HistoryUnreadable
from jobharness.history.clocks import Node
from jobharness.history.frame import History
from jobharness.history.log import save
from jobharness.history.nodes import merge
from jobharness.history.parts import PartedHistory
from jobharness.history.shelf import FolderShelf
from tests.benchmarks.big import CLEAN, clean_history
from tests.histories import history as told
from tests.oracles.generated import histories, samples, stops, ticks, traffic, upstream_calls
from tests.support.examples import examples
from tests.two_runs import BAD, GOOD
from tests.two_runs import CONTRACTS as BY_HAND

CONTRACTS = [*CLEAN.values(), ExactlyOnce()]


def _in_parts(history: History, jobs_at_once: int, contracts: Sequence[Promise] = CONTRACTS) -> Verdict:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.parquet"
        save(history, path)
        parted = PartedHistory(path)
        shelf = Path(folder) / "shelf"
        shelf.mkdir()
        return judge_parts(parted.run, parted.parts(jobs_at_once), contracts, FolderShelf(shelf))


def _facts(verdict: Verdict) -> dict[str, object]:
    return {
        finding.contract: (
            finding.word,
            finding.sentence,
            dict(finding.counts),
            sorted(finding.offenders.rows(), key=str),
            finding.promise,
        )
        for finding in verdict.findings
    }


@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
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
        named = [(finding.contract, finding.promise) for finding in verdict.findings]
        assert named == [(contract.name, contract.promise) for contract in CONTRACTS]


@pytest.mark.parametrize("lines", [GOOD, BAD, ""], ids=["good", "bad", "empty"])
def test_two_runs_written_by_hand_are_judged_in_parts_as_they_are_at_once(lines: str) -> None:
    contracts = [contract for contract in BY_HAND.values() if isinstance(contract, Promise)]
    at_once, in_parts = judge(told(lines), contracts), _in_parts(told(lines), 3, contracts)
    assert _facts(in_parts) == _facts(at_once)
    assert [finding.word for finding in in_parts.findings] == sorted(finding.word for finding in in_parts.findings)


class _Crashing(Promise):
    name, promise, needs = "crashing", "it never crashes", frozenset()

    def __init__(self, where: str) -> None:
        self.where, self.asked = where, 0

    def evidence(self, history: History) -> Evidence:
        """Nothing, but a crash where it is to crash."""
        self.asked += 1
        if self.where == "evidence":
            raise ZeroDivisionError("of nothing")
        return Evidence(1)

    def broken(self, figures: Mapping[str, int]) -> str:
        """It never is."""
        raise AssertionError

    def kept(self, figures: Mapping[str, int]) -> str:
        """Crashes where it is to crash."""
        raise ZeroDivisionError("of nothing")


@pytest.mark.parametrize(("where", "asked"), [("evidence", 1), ("kept", 8)])
def test_a_contract_that_crashes_in_a_part_is_unknown_and_the_others_are_judged(where: str, asked: int) -> None:
    """The run has eight jobs, each a part; what crashed is not asked again."""
    contract = _Crashing(where)
    verdict = _in_parts(told(GOOD), 1, [FifoPerKey(), contract, AtMostOnce()])
    assert [(one.contract, one.word) for one in verdict.findings] == [
        ("crashing", Word.UNKNOWN),
        ("fifo_per_key", Word.HOLDS),
        ("at_most_once", Word.HOLDS),
    ]
    crashed = verdict["crashing"]
    assert crashed.sentence.startswith("the contract itself crashed; please report it:\n")
    assert crashed.sentence.rstrip().endswith("of nothing")
    assert (crashed.promise, contract.asked) == ("it never crashes", asked)
