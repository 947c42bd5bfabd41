"""Runs that were made before, as values."""

import json
from dataclasses import replace

import pytest

from jobharness.compare.apart import OTHER_DAY, OTHER_MACHINE, SAME_DAY, compare_saved, floor_of
from jobharness.compare.saved import baselines, find, save
from jobharness.errors import InvalidRequest, RunUnreadable, UnknownName
from jobharness.report.digest import Digest
from jobharness.report.record import record
from jobharness.scenario.model import GateSpec


def run(**changes):
    plain = Digest(
        title="The shop's jobs", source="/shop/a.toml", before="", seed=1, verdict="holds", sentence="", known_gap="", exit_code=0,
        folder="/reports/20261124-1", repeat="", story=(), promises={"at_least_once": "holds"}, finished_at="2026-11-24T10:00:00+00:00",
        metrics={"latency.p95": {"value": 0.5, "unit": "s", "count": 50, "better": "lower"}},
        variables={"workload": {"duration": 1}, "machine": {"cores": 2}, "commit": "abc"},
        notes={"owner": "payments", "expected": "faster", "rollback": "git revert"},
    )  # fmt: skip
    return replace(plain, **changes)


def test_saved_runs_come_back_as_they_were(tmp_path):
    save(tmp_path, "release-1", [run(), run(seed=2)])
    found = find(tmp_path, "release-1", tmp_path)
    assert [one.seed for one in found.runs] == [1, 2]
    assert found.sources == ["/shop/a.toml"]
    assert found.runs[0].measured["latency.p95"].value == 0.5
    assert find(tmp_path, None, tmp_path).name == "release-1"


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x"])
def test_name_that_is_no_files_name_is_refused(tmp_path, name):
    with pytest.raises(InvalidRequest):
        save(tmp_path, name, [run()])


def test_unknown_name_lists_those_there_are(tmp_path):
    save(tmp_path, "release-1", [run()])
    with pytest.raises(UnknownName, match=r"'relaese-1'. Did you mean 'release-1'\? Known: release-1"):
        find(tmp_path, "relaese-1", tmp_path)
    with pytest.raises(InvalidRequest, match="nothing was saved in"):
        find(tmp_path / "empty", None, tmp_path)


def test_folder_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "20261124-a").mkdir()
    (tmp_path / "20261124-a" / "run.json").write_text('{"schema": 99}')
    with pytest.raises(RunUnreadable, match=r"has schema 99; this version reads up to 1\. Update jobharness"):
        find(tmp_path, "20261124-a", tmp_path)


def test_damaged_file_of_saved_runs_is_refused(tmp_path):
    save(tmp_path, "one", [run()])
    (tmp_path / "baselines" / "one.json").write_text(json.dumps({"schema": 1, "runs": [{"title": "x"}]}))
    with pytest.raises(RunUnreadable, match="is no file of saved runs"):
        find(tmp_path, "one", tmp_path)
    assert baselines(tmp_path) == ["one"]


def test_floor_is_wider_the_further_apart_the_runs_were_made():
    later, elsewhere = run(finished_at="2026-11-25T10:00:00+00:00"), run(variables={"machine": {"cores": 96}})
    assert [floor_of([run()], [one]).share for one in (run(), later, elsewhere)] == [SAME_DAY, OTHER_DAY, OTHER_MACHINE]


def test_other_work_cannot_be_compared_and_what_differs_is_said(tmp_path):
    other = run(variables={**run().variables, "workload": {"duration": 9}})
    with pytest.raises(InvalidRequest, match=r"did not do the same work, so they cannot be compared: workload.duration: 1 and 9"):
        compare_saved(("a", "b"), [run()], [other], {}, tmp_path, "")


def test_record_of_one_run_a_side_says_that_it_is_not_enough_and_lets_no_markup_in(tmp_path):
    title = "<script>alert(1)</script> | a"
    said = record(
        compare_saved(("before|x", "after"), [run()], [run(title=title)], {}, tmp_path, "jobharness compare a b", "why")
    )
    assert "<script>" not in said
    assert "&lt;script>alert(1)&lt;/script> \\| a: before\\|x → after" in said
    assert "not enough evidence: 1 runs a side" in said
    for told in (
        "- Reason: why",
        "- Owner: payments",
        "- Expected: faster",
        "- Rollback: git revert",
        "`jobharness compare a b`",
    ):
        assert told in said


def test_known_gap_excuses_what_was_broken_before_and_nothing_else(tmp_path):
    broken, gap = run(promises={"at_least_once": "broken"}, verdict="broken"), "a reason"
    after = replace(broken, known_gap=gap)
    assert compare_saved(("a", "b"), [broken], [broken], {}, tmp_path, "").exit_code == 1
    assert compare_saved(("a", "b"), [broken], [after], {}, tmp_path, "").exit_code == 0
    assert compare_saved(("a", "b"), [run()], [after], {}, tmp_path, "").exit_code == 1


def test_run_without_a_verdict_is_no_pass_and_not_measured_by(tmp_path):
    said = compare_saved(("a", "b"), [run()], [run(verdict="vacuous", sentence="hit nothing")], {}, tmp_path, "")
    assert said.exit_code == 3
    assert said.judgements == []
    assert any("1 of 1 runs after have no verdict and are not measured by (vacuous: hit nothing)" in one for one in said.warnings)


def test_run_whose_producer_was_late_is_not_measured_by(tmp_path):
    late = {**run().metrics, "producer.off_schedule": {"value": 0.5, "unit": "1", "count": 50, "better": "lower"}}
    late["producer.lateness.max"] = {"value": 2.0, "unit": "s", "count": 50, "better": "lower"}
    said = compare_saved(("a", "b"), [run()], [run(metrics=late)], {}, tmp_path, "")
    assert said.judgements == []
    assert said.headline == "No metric could be judged."
    assert any("the producer did not keep its schedule" in one for one in said.warnings)


def test_worse_metric_without_a_gate_fails_nothing_and_says_so(tmp_path):
    def runs(factor):
        return [
            run(
                seed=seed,
                metrics={"latency.p95": {"value": factor * (1 + seed / 500), "unit": "s", "count": 50, "better": "lower"}},
            )
            for seed in range(9)
        ]

    said = compare_saved(("a", "b"), runs(1.0), runs(1.5), {}, tmp_path, "")
    assert said.exit_code == 0
    assert said.headline.startswith("Worse: latency.p95 +50.0% (")
    assert said.headline.endswith("No gate is set, so this fails nothing.")


def test_gate_of_the_scenario_is_judged_as_the_runs_after_had_it(tmp_path):
    slow = run(metrics={"latency.p95": {"value": 9.0, "unit": "s", "count": 50, "better": "lower"}})
    allowing, strict = ({"latency.p95": {"max": seconds}} for seconds in (20.0, 1.0))
    same = [replace(slow, seed=seed) for seed in range(9)]

    def exit_code(gate, limits):
        return compare_saved(("a", "b"), same, [replace(one, gate=gate) for one in same], limits, tmp_path, "").exit_code

    assert [exit_code(gate, {}) for gate in ({}, allowing, strict)] == [0, 0, 4]
    assert exit_code(strict, {"latency.p95": GateSpec.model_validate({"max": 20.0})}) == 0
    with pytest.raises(InvalidRequest, match=r"the gate on latency.p95 cannot be judged by 1 runs a side"):
        compare_saved(("a", "b"), [slow], [replace(slow, gate={"latency.p95": {"regress": 0.1}})], {}, tmp_path, "")
