"""Each fault of the library under scenarios/faults, on Celery and Redis, judged by its evidence in the history."""

from pathlib import Path

import polars as pl
import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.history.event import Dead, Kind
from tests.support.evidence import rows

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.real


def test_stall_longer_than_the_lease_makes_two_live_owners(run):
    result = run("worker_paused")
    assert result.verdict["at_most_once"].word is Word.BROKEN
    (job,) = result.verdict["at_most_once"].jobs
    life = [moment for moment in result.history.life(job) if moment.kind in (Kind.JOB_RUNNING, Kind.JOB_FINISHED)]
    # The second owner begins before the first has ended, and both end: the stale one settles, too.
    assert [moment.kind for moment in life] == [Kind.JOB_RUNNING, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FINISHED]
    assert life[0].worker != life[1].worker


def test_rolling_restart_stops_every_worker_once_and_loses_nothing(run):
    result = run("rolling_restart")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    end = rows(result.history, Kind.FAULT_END)[0]["time_ns"]
    before = [row for row in rows(result.history, Kind.WORKER_EXITED) if row["time_ns"] < end]
    assert sorted(result.history.text(row["text"]) for row in before) == ["worker-1", "worker-2"]
    assert all(row["value"] == 0 and row["task"] == 0 for row in before)
    # One after another: the second stops only when the first is back.
    ready = [row["time_ns"] for row in rows(result.history, Kind.WORKER_READY)]
    assert any(before[0]["time_ns"] < moment < before[1]["time_ns"] for moment in ready)


def test_removed_task_is_thrown_away_by_the_new_code(run):
    result = run("task_removed_by_deploy")
    finding = result.verdict["at_least_once"]
    assert finding.word is Word.BROKEN
    dead = [row for row in rows(result.history, Kind.JOB_DEAD) if row["value"] == Dead.UNKNOWN_TASK]
    assert {row["job"] for row in dead} >= set(finding.jobs)


def test_worker_that_is_told_to_stop_finishes_what_it_runs(run):
    result = run("worker_terminated")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    assert rows(result.history, Kind.WORKER_STOPPING)
    assert result.metrics["faults.jobs_hit"].value >= 1


def test_poisonous_job_takes_its_process_with_it_and_is_given_up(run):
    result = run("task_is_poison")
    hits = {row["job"] for row in rows(result.history, Kind.FAULT_HIT) if row["job"] is not None}
    assert len(hits) == 2
    given_up = {row["job"] for row in rows(result.history, Kind.JOB_DEAD) if row["value"] == Dead.WORKER_LOST}
    assert given_up == hits == set(result.verdict["at_least_once"].jobs)


def test_process_over_its_memory_limit_is_killed_and_its_job_runs_again(run):
    result = run("task_leaks_memory")
    assert result.verdict["at_least_once"].word is Word.HOLDS
    label = result.history.number_of("memory#2")
    killed = [row for row in rows(result.history, Kind.FAULT_HIT) if row["text"] == label and row["job"] is not None]
    assert killed
    runs = result.history.lives.filter(pl.col("job") == killed[0]["job"])["running"].item()
    assert runs == 2


def test_execution_that_raises_is_dead_once_and_the_others_are_done(run):
    result = run("task_raises")
    hits = {row["job"] for row in rows(result.history, Kind.FAULT_HIT) if row["job"] is not None}
    lives = result.history.lives
    assert hits
    assert set(lives.filter(pl.col("dead") == 1)["job"]) == hits
    assert set(lives.filter(pl.col("finished") == 1)["job"]) == set(lives["job"]) - hits


@pytest.fixture(scope="module")
def storms(run):
    """The two tasks in the same storm of 429s: who reads Retry-After, and who does not."""
    return run("api_says_429_politely"), run("api_says_429_at_once")


def test_polite_task_wastes_one_request_a_job_and_waits_as_long_as_it_was_told(storms):
    polite, _ = storms
    refused = [row for row in rows(polite.history, Kind.UPSTREAM_ANSWERED) if row["value"] == 429]
    assert refused
    # One that comes back while the storm is not over yet, on a busy machine, is told to wait again.
    assert len(refused) <= 1.1 * len({row["job"] for row in refused})
    retried = {row["job"]: row["value"] for row in rows(polite.history, Kind.JOB_RETRIED)}
    # The library says when it will try again, as a moment: what is left until then is a little less than 2 s.
    assert all(1.5e9 < retried[row["job"]] <= 2e9 for row in refused)


def test_hasty_task_wastes_many_times_more_requests(storms):
    def wasted(result):
        refused = [row["job"] for row in rows(result.history, Kind.UPSTREAM_ANSWERED) if row["value"] == 429]
        return len(refused) / len(set(refused))

    polite, hasty = map(wasted, storms)
    assert hasty > 1.5 * polite  # Five times on an idle machine: a busy one tries less often in the same time.


def test_each_effect_of_the_storm_was_applied_once(storms):
    for result in storms:
        effects = [result.history.text(row["text"]) for row in rows(result.history, Kind.EFFECT_APPLIED)]
        assert len(effects) == len(set(effects)) == 80


def test_control_run_comes_first_and_is_named_in_the_verdict(tmp_path):
    result = Harness(ROOT, tmp_path).run("scenarios/faults/task_raises.toml", control=True, workload__duration="1s")
    assert result.verdict["control"].word is Word.HOLDS
    assert len([path for path in tmp_path.iterdir() if (path / "verdict.json").exists()]) == 2


def test_calls_of_a_host_by_its_own_name_come_to_the_upstream_with_their_jobs(run):
    result = run("api_by_its_name")
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    seen = rows(result.history, Kind.UPSTREAM_REQUEST)
    assert {row["job"] for row in seen} == set(result.history.lives["job"])
    assert {result.history.text(row["task"]) for row in seen} == {"POST /v1/messages"}
    refused = [row["job"] for row in rows(result.history, Kind.UPSTREAM_ANSWERED) if row["value"] == 503]
    hit = [row["job"] for row in rows(result.history, Kind.FAULT_HIT) if row["job"] is not None]
    assert refused and set(refused) <= set(hit)
    assert len(seen) == len(result.history.lives) + len(refused)


def test_jobs_of_the_old_code_die_on_workers_of_the_new(run):
    result = run("arguments_changed_by_deploy")
    dead = rows(result.history, Kind.JOB_DEAD)
    assert dead
    assert all("missing 1 required positional argument: 'warehouse'" in result.history.text(row["text"]) for row in dead)
    begin = rows(result.history, Kind.FAULT_BEGIN)[0]["time_ns"]
    new = {row["process"] for row in rows(result.history, Kind.WORKER_READY) if row["time_ns"] > begin}
    assert {row["process"] for row in dead} <= new
    # What the old code ran, before and beside it, is done.
    done = {row["process"] for row in rows(result.history, Kind.JOB_FINISHED)}
    assert done - new
