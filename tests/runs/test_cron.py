"""A schedule of the app's own: Celery's beat, embedded in a worker, and the ticks that the scenario expects of it."""

import pytest

from jobharness.contracts.contract import Word

pytestmark = pytest.mark.real


def _scenario(scenario, arguments=("--beat",), every_s=0.5, lasting="3s", **parts):
    schedule = {"beat_schedule": {"tidy up": {"task": "naps.nothing", "schedule": every_s}}}
    queue = {"settings": schedule, "arguments": ["--without-mingle", "--without-gossip", *arguments], "pool": "threads"}
    made = scenario("ticks", queue=queue, **parts)
    plain = made.model_dump(exclude_unset=True, by_alias=True)
    plain["workload"] = {"duration": lasting, "cron": [{"entry": "tidy up", "every": f"{every_s}s"}]}
    return type(made).model_validate(plain)


def test_each_tick_that_the_scenario_expects_runs_once(run, scenario):
    # A period that a busy machine does not stretch to half as much again.
    result = run(_scenario(scenario, every_s=2.0, lasting="7s"))
    finding = result.verdict["one_run_per_tick"]
    assert finding.word is Word.HOLDS, finding.sentence
    assert finding.counts["ticks"] >= 3
    result.expect.verdict("holds")


def test_a_scheduler_that_never_ran_missed_every_tick(run, scenario):
    finding = run(_scenario(scenario, arguments=())).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN
    assert finding.counts == {"ticks": 0, "twice": 0, "missed": 1, "never_ran": 0}
    assert "tidy up did not come due for" in finding.offenders["why"][0]


def test_an_embedded_scheduler_outlives_its_killed_worker_and_each_tick_comes_twice(run, scenario):
    """Celery's embedded beat is a process of its own, which nobody ends: the replacement brings a second one."""
    finding = run(_scenario(scenario, fault=[{"kind": "kill", "at": "500ms"}])).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["twice"] >= 1
