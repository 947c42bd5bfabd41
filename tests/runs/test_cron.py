"""A schedule of the app's own, and the ticks that the scenario expects of it: Celery's beat, embedded in a worker, and the
libraries whose workers send the periodic jobs themselves."""

import time

import pytest

from jobharness.contracts.contract import Word
from jobharness.processes.process import wait_for
from jobharness.scenario.load import scenario_from
from tests.support.ticks import ticking

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


def _of_workers(library, workers=1, fault=(), lasting="", **env):
    """A scenario whose workers send the periodic jobs themselves."""
    queue, broker, entry, every_s = ticking(library, **env)
    plain = {
        "title": f"ticks on {library}",
        "queue": {**queue, "workers": workers, "restart_delay": "10ms"},
        "broker": {"kind": broker},
        "workload": {
            "duration": lasting or f"{3 * every_s + 1 if every_s < 60 else 3}s",
            "cron": [{"entry": entry, "every": f"{every_s}s"}],
        },
        "contract": {"delivery": "at-least-once", "recovery": "5s"},
        "fault": list(fault),
    }
    return scenario_from(plain, library)


def _early_in_a_minute():
    """Huey names a tick by its minute: one that ends between two consumers' looks would hide that both looked."""
    assert wait_for(lambda: time.gmtime().tm_sec < 40, 30)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("library", ["arq", "saq", "procrastinate", "pgqueuer"])
def test_a_tick_that_workers_agree_on_runs_once(library, workers, run):
    result = run(_of_workers(library, workers))
    finding = result.verdict["one_run_per_tick"]
    assert finding.word is Word.HOLDS, finding.sentence
    assert finding.counts["ticks"] >= (2 if library in ("saq", "pgqueuer") else 3)
    result.expect.verdict("holds")


def test_one_scheduler_on_a_job_store_runs_each_tick_once_and_two_run_it_twice(run):
    """APScheduler 3: "sharing a persistent job store among two or more processes will lead to incorrect scheduler behavior"."""
    one = run(_of_workers("apscheduler"))
    assert one.verdict["one_run_per_tick"].counts["ticks"] >= 3
    one.expect.verdict("holds")
    finding = run(_of_workers("apscheduler", workers=2)).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["twice"] >= 1


def test_a_schedule_of_django_q2_that_is_due_runs_once(run):
    result = run(_of_workers("django_q2", lasting="34s"))  # A cluster looks for what is due every half minute.
    assert result.verdict["one_run_per_tick"].counts == {"ticks": 1, "twice": 0, "missed": 0, "never_ran": 0}
    result.expect.verdict("holds")


@pytest.mark.parametrize("library", ["arq", "saq"])
def test_a_tick_that_each_worker_sends_for_itself_runs_twice(library, run):
    finding = run(_of_workers(library, 2, EACH="1")).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["twice"] >= 2
    assert "its tick had come before" in finding.offenders["why"].to_list()


def test_one_consumer_of_huey_sends_a_minutes_tick_once(run):
    scenario = _of_workers("huey")
    _early_in_a_minute()
    result = run(scenario)
    assert result.verdict["one_run_per_tick"].counts == {"ticks": 1, "twice": 0, "missed": 0, "never_ran": 0}
    result.expect.verdict("holds")


def test_two_consumers_of_huey_send_a_minutes_tick_twice(run):
    scenario = _of_workers("huey", workers=2)
    _early_in_a_minute()
    finding = run(scenario).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["twice"] == 1


def test_a_consumer_of_huey_that_is_started_again_sends_the_minutes_tick_again(run):
    scenario = _of_workers("huey", fault=[{"kind": "kill", "at": "1s"}])
    _early_in_a_minute()
    finding = run(scenario).verdict["one_run_per_tick"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["twice"] == 1
