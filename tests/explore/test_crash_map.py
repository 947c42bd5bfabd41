"""Crash maps of real workers on real brokers: what must be found is found, what is right shows no loss, and twice says the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from docs import maps
from jobharness.errors import InvalidRequest, JobNeverSettled
from jobharness.explore.outcome import Word
from jobharness.explore.replay import Now
from jobharness.harness import Harness
from jobharness.scenario.model import Scenario
from tests.support.require import require_binary
from tests.support.stalled import retrying_stalled_jobs
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[2]


def celery(pool="solo", broker="redis", **contract):
    return Scenario.model_validate(
        {
            "title": f"celery {pool} on {broker}",
            "queue": {
                "adapter": "celery",
                "app": "scenarios.apps.celery_shop:app",
                "pool": pool,
                "arguments": ["--without-gossip", "--without-mingle"],
                "settings": {"task_acks_late": True, "task_reject_on_worker_lost": True},
                "env": {"CELERY_BROKER_URL": "{broker.url}", "SHOP_DATABASE": "{run.folder}/shop.sqlite3"},
            },
            "broker": {"kind": broker},
            "workload": {
                "arrivals": {"rate": "1/s"},
                "duration": "1s",
                "job": [{"task": "scenarios.apps.celery_shop.charge", "kwargs": {"order_id": "o-1", "amount": 3}}],
            },
            "contract": {"delivery": "at-least-once", **contract},
            "crashmap": {"tries": 1},
        }
    )


def outcomes(chart):
    return {tried.point.sentence(): tried.worst.word for tried in chart.tried}


@pytest.fixture(scope="module")
def celery_maps(tmp_path_factory):
    """The map of Celery on Redis, made twice."""
    require_binary("redis-server")
    harness = Harness(ROOT, tmp_path_factory.mktemp("reports"))
    return harness, [harness.crash_map(celery()) for _ in range(2)]


def test_celery_on_redis_loses_the_job_between_brpop_and_exec_with_late_acknowledgement(celery_maps):
    _, (chart, _) = celery_maps
    found = outcomes(chart)
    assert found["reply to BRPOP: worker killed, its reply on its way"] is Word.LOST
    assert found["EXEC (ZADD, HSET): worker killed before it leaves"] is Word.LOST
    assert found["EXEC (ZADD, HSET): worker killed, its reply on its way"] is Word.ONCE
    assert found["EXEC (ZREM, HDEL): worker killed before it leaves"] is Word.TWICE
    assert found["EXEC (ZREM, HDEL): worker killed, its reply on its way"] is Word.ONCE
    assert chart.control.worst.word is Word.ONCE
    assert chart.verdict == "broken"


def test_job_that_is_handed_over_is_lost_before_the_steps_are_learnt(celery_maps):
    _, (chart, _) = celery_maps
    first, *_ = sorted(chart.tried, key=lambda one: one.trials)
    assert (first.point.name, first.trials, first.worst.word) == ("1 after tree", (1,), Word.LOST)
    assert all(chart.firsts["lost"] < seconds for word, seconds in chart.firsts.items() if word != "lost")
    kept = json.loads((chart.folder / "trials" / "1.json").read_text(encoding="utf-8"))
    assert kept["point"]["label"] == "reply to BRPOP", "as it was learnt since"


def test_loss_with_the_worker_is_proven_and_not_waited_for(celery_maps):
    _, (chart, _) = celery_maps
    lost = [one for one in chart.tried if one.worst.word is Word.LOST and one.point.victim == "tree"]
    assert lost and all(outcome.where == "nothing that the broker stores names it" for one in lost for outcome in one.outcomes)
    lived = [one for one in chart.tried if one.worst.word is Word.LOST and not one.point.victim]
    assert lived and not any(outcome.where for one in lived for outcome in one.outcomes), "who lives may still have it"


def test_map_made_twice_says_the_same(celery_maps):
    _, (first, second) = celery_maps
    assert [step.label for step in first.steps] == [step.label for step in second.steps]
    assert outcomes(first) == outcomes(second)


def test_leases_are_shortened_and_the_live_app_took_them(celery_maps):
    _, (chart, _) = celery_maps
    options = chart.about["app"]["settings"]["broker_transport_options"]
    assert options["visibility_timeout"] == 3
    assert any("visibility_timeout = 3" in words for words in chart.waits)


def test_evidence_of_each_trial_is_kept(celery_maps):
    _, (chart, _) = celery_maps
    lost = next(tried for tried in chart.tried if tried.worst.word is Word.LOST)
    trial = chart.folder / "trials" / f"{lost.trials[0]}.json"
    kept = json.loads(trial.read_text(encoding="utf-8"))
    assert kept["outcome"]["word"] == "lost"
    transcript = (trial.parent / kept["evidence"]["transcript"]).read_text(encoding="utf-8")
    assert "fault.begin" in transcript and "BRPOP" in transcript
    assert (chart.folder / "report.html").exists()
    assert not (chart.folder / "records").exists()


def test_replay_of_a_loss_says_still_broken(celery_maps):
    harness, (chart, _) = celery_maps
    lost = next(tried for tried in chart.tried if tried.worst.word is Word.LOST)
    replayed = harness.replay(chart.folder / "trials" / f"{lost.trials[0]}.json")
    assert replayed.now is Now.STILL_BROKEN
    assert replayed.changed == ()


def test_prefork_kills_main_and_child_apart(tmp_path):
    require_binary("redis-server")
    chart = Harness(ROOT, tmp_path).crash_map(celery("prefork").with_(queue__concurrency=1))
    assert chart.children
    found = outcomes(chart)
    assert found["reply to BRPOP: main process alone killed, its reply on its way"] is Word.LOST
    # The main process lives, so the message goes on, and what its child had begun is run again.
    assert found["EXEC (ZREM, HDEL): child alone killed before it leaves"] in (Word.ONCE, Word.TWICE)


def test_minutes_that_no_setting_of_rq_shortens_are_passed_by_its_workers_clocks(tmp_path):
    require_binary("redis-server")
    scenario = maps.scenario_of(NEWEST["rq on redis"].subject_there(), {}, {"retry": {"max": 3}})
    harness = Harness(ROOT, tmp_path)
    chart = harness.crash_map(scenario)
    assert chart.recovery["passed_s"] == [63.0, 60.0] and chart.recovery["waited_s"] == pytest.approx(4.0)
    found = {one.point.sentence(): one.worst for one in chart.tried}
    # Popped, and entered nowhere: back when it has been seen so for a minute.
    popped = found["reply to BLMOVE: worker killed, its reply on its way"]
    assert popped.word is Word.ONCE and popped.back_s is not None and 60 < popped.back_s < 80
    # Entered as started, and not yet marked so: the heartbeat must run out, and then a minute must pass.
    half = [one for one in found.values() if one.back_s is not None and one.back_s > 110]
    assert half and all(one.word is Word.ONCE and one.back_s < chart.recovery["bound_s"] + 5 for one in half)
    assert {one.word for one in found.values()} <= {Word.ONCE, Word.TWICE}
    kept = next(one for one in chart.tried if one.worst.back_s is not None and one.worst.back_s > 110)
    assert chart.took_s < chart.recovery["bound_s"]
    replayed = harness.replay(chart.folder / "trials" / f"{kept.trials[0]}.json")
    assert replayed.now is Now.STILL_RIGHT and replayed.outcomes[0].back_s > 110


def test_celery_on_rabbitmq_with_late_acknowledgement_loses_nothing(tmp_path):
    require_binary("rabbitmq-server")
    chart = Harness(ROOT, tmp_path).crash_map(celery(broker="rabbitmq"))
    assert [step.label for step in chart.steps] == ["basic.deliver", "basic.ack"]
    assert Word.LOST not in chart.counts and Word.STUCK not in chart.counts
    assert outcomes(chart)["basic.ack: worker killed before it leaves"] is Word.TWICE
    assert chart.verdict == "holds"


def test_procrastinate_that_retries_stalled_jobs_loses_nothing(tmp_path):
    require_binary("postgres")
    scenario = retrying_stalled_jobs(crashmap={"recovery": "8s", "tries": 1})
    chart = Harness(ROOT, tmp_path).crash_map(scenario)
    # And not what is said of the retrying task, which comes due every other second.
    labels = [step.label for step in chart.steps]
    expected = ["reply to SELECT", "COMMIT", "COMMIT (SELECT, CREATE, INSERT)", "COMMIT (SELECT)"]
    assert labels == expected, [(round(step.at_s, 3), step.words) for step in chart.steps]
    assert Word.LOST not in chart.counts and Word.STUCK not in chart.counts
    killed = [tried for tried in chart.tried if tried.point.victim == "tree"]
    assert len(killed) > 3 and {tried.worst.word for tried in killed} <= {Word.ONCE, Word.TWICE}


# The home-grown queue over SQLite, right and with a bug planted.


def lease_shop(task="charge", **kwargs):
    return Scenario.model_validate(
        {
            "title": "the lease shop",
            "queue": {
                "adapter": "python",
                "app": "lease_shop.queue:queue",
                "command": ["python", "-m", "lease_shop.worker"],
                "methods": {"run": "lease_shop.tasks:perform"},
                "env": {"SHOP_QUEUE_URL": "{broker.url}", "SHOP_DATABASE": "{run.folder}/shop.sqlite3", "SHOP_LEASE_S": "2"},
                "ask": {
                    "waiting": "SELECT count(*) FROM jobs WHERE state = 'ready'",
                    "held": "SELECT id, 'in the table jobs' FROM jobs WHERE state = 'ready'",
                    "buried": "SELECT id, 'dead, in the table jobs' FROM jobs WHERE state = 'dead'",
                },
            },
            "broker": {"kind": "sqlite"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": task, "kwargs": kwargs}]},
            "contract": {"delivery": "at-least-once"},
            "crashmap": {"recovery": "4s", "tries": 1},
        }
    )


def test_queue_that_settles_before_the_effect_is_found_and_its_fix_is_seen(shop, tmp_path):
    project, write = shop
    right = "        with Renewal(job):\n            tasks.perform(job)\n"
    write("lease_shop/worker.py", right, "        queue.settle(job)\n" + right)
    harness = Harness(project, tmp_path / "reports")
    chart = harness.crash_map(lease_shop(order_id="o-1", amount=3))
    lost = [tried for tried in chart.broken if tried.worst.word is Word.LOST]
    assert "DELETE: worker killed, its reply on its way" in [tried.point.sentence() for tried in lost]

    write("lease_shop/worker.py", "        queue.settle(job)\n" + right, right)
    fixed = harness.crash_map(lease_shop(order_id="o-1", amount=3))
    assert fixed.verdict == "holds"
    replayed = harness.replay(chart.folder / "trials" / f"{lost[0].trials[0]}.json")
    assert replayed.now is Now.FIXED
    assert "code" in replayed.changed


ONCE = {
    "name": "no order is charged twice",
    "sql": "SELECT order_id, count(*) FROM charges GROUP BY order_id HAVING count(*) > 1",
    "database": "{run.folder}/shop.sqlite3",
}


def test_points_at_which_a_retry_doubles_an_effect_are_shown_and_gone_when_the_effect_is_made_once(shop, tmp_path):
    """Running twice is what at-least-once allows; charging twice is not."""
    project, write = shop
    harness = Harness(project, tmp_path / "reports")
    scenario = lease_shop(order_id="o-1", amount=3).with_(contract__invariant=[ONCE])
    chart = harness.crash_map(scenario)
    assert chart.control.wrong == {} and chart.verdict == "broken"
    doubled = {tried.point.sentence(): tried for tried in chart.broken}
    before = doubled["DELETE: worker killed before it leaves"]
    assert before.worst.word is Word.TWICE and before.wrong == {"no order is charged twice": "o-1, 2"}
    assert {tried.worst.word for tried in doubled.values()} == {Word.TWICE}

    values = '"INSERT INTO charges VALUES (?, ?, ?)", (order_id, amount, time.time())'
    once = '"INSERT INTO charges SELECT ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM charges WHERE order_id = ?)"'
    write("lease_shop/tasks.py", values, f"{once}, (order_id, amount, time.time(), order_id)")
    replayed = harness.replay(chart.folder / "trials" / f"{before.telling}.json")
    assert replayed.now is Now.FIXED
    assert [(one.word, one.wrong) for one in replayed.outcomes] == [(Word.TWICE, {})] * 3


def test_effect_in_the_apps_own_database_is_a_step_between_taking_and_settling(tmp_path):
    """Killed before its effect is committed, the job has to be done again; after it, doing it again doubles the effect."""
    require_binary("redis-server")
    database = "{run.folder}/shop.sqlite3"
    scenario = celery(invariant=[{**ONCE, "database": database}]).with_(peer=[{"name": "shop", "database": database}])
    chart = Harness(ROOT, tmp_path).crash_map(scenario)
    labels = [step.label for step in chart.steps]
    effect = labels.index("shop: COMMIT (INSERT)")
    assert labels.index("EXEC (ZADD, HSET)") < effect < labels.index("EXEC (ZREM, HDEL)")
    found = {tried.point.sentence(): tried for tried in chart.tried}
    before = found["shop: COMMIT (INSERT): worker killed before it leaves"]
    after = found["shop: COMMIT (INSERT): worker killed, its reply on its way"]
    assert (before.worst.word, before.wrong) == (Word.ONCE, {})
    assert (after.worst.word, after.wrong) == (Word.ONCE, {"no order is charged twice": "o-1, 2"})


def test_lease_that_is_not_renewed_is_found_and_gone_when_fixed(shop, tmp_path):
    """The job takes longer than a lease, so with another worker standing by it has two owners though nothing goes wrong."""
    project, write = shop
    scenario = lease_shop("print_catalogue", pages=22)
    scenario = scenario.with_(
        contract__delivery="exactly-once", crashmap__budget="0s", crashmap__recovery="2s", queue__env__SHOP_LEASE_S="1.5"
    )
    write("lease_shop/worker.py", "        with Renewal(job):\n            tasks.perform(job)\n", "        tasks.perform(job)\n")
    harness = Harness(project, tmp_path / "reports")
    assert harness.crash_map(scenario).control.worst.word is Word.TWICE

    write("lease_shop/worker.py", "        tasks.perform(job)\n", "        with Renewal(job):\n            tasks.perform(job)\n")
    assert harness.crash_map(scenario).control.worst.word is Word.ONCE


def test_job_that_never_settles_stops_the_map_with_its_life_story(shop, tmp_path):
    project, write = shop
    write("lease_shop/worker.py", "        queue.settle(job)\n", "        pass\n")
    with pytest.raises(JobNeverSettled, match="is not settled") as stopped:
        Harness(project, tmp_path / "reports").crash_map(lease_shop(order_id="o-1", amount=3))
    assert "job.finished" in str(stopped.value)


def test_broker_that_was_not_started_here_is_refused(tmp_path):
    with pytest.raises(InvalidRequest, match=r"broker\.url"):
        Harness(ROOT, tmp_path).crash_map(celery().with_(broker__url="redis://127.0.0.1:1/0"))


def test_command_prints_the_map_and_its_json(shop, tmp_path):
    """As a user calls it: the exit code, the table, the JSON."""
    project, _ = shop
    _write_scenario(project, "shop.toml", crashmap={})
    command = [sys.executable, "-m", "jobharness.cli.main", "crashmap", "shop.toml", "--json", "map.json", "--lanes", "4"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("HOLDS: ")
    assert json.loads((project / "map.json").read_text(encoding="utf-8"))["verdict"] == "holds"


def _table(name, values):
    """A table of TOML: JSON's strings, numbers and lists are TOML's, too."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in values.items() if not isinstance(value, dict)]
    inner = [_table(f"{name}.{key}", value) for key, value in values.items() if isinstance(value, dict)]
    return "\n".join([f"[{name}]", *plain, *inner])


def test_recovering_worker_is_killed_at_each_step_of_the_recovery_and_the_job_is_still_not_lost(shop, tmp_path):
    """The second strike is one at the same job's message in the next worker's hands, up to the last one."""
    project, _ = shop
    scenario = lease_shop(order_id="o-1", amount=3).with_(crashmap__depth=2)
    chart = Harness(project, tmp_path / "reports").crash_map(scenario)
    deeper = {tried.name: tried for tried in chart.tried if tried.second is not None}
    last = len(chart.steps)
    assert f"{last} before tree + {last} before tree" in deeper and f"{last} before tree + {last} after tree" in deeper
    assert deeper[f"{last} before tree + {last} before tree"].worst.times == 3
    assert deeper[f"{last} before tree + {last} after tree"].worst.word is Word.TWICE
    assert {tried.worst.word for tried in deeper.values()} <= {Word.ONCE, Word.TWICE}
    assert chart.verdict == "holds"


def test_map_is_a_test_of_pytest_and_its_known_gap_a_strict_expected_failure(shop):
    project, write = shop
    right = "        with Renewal(job):\n            tasks.perform(job)\n"
    write("lease_shop/worker.py", right, "        queue.settle(job)\n" + right)
    (project / "scenarios").mkdir()
    _write_scenario(project, "scenarios/shop.toml", crashmap={"known_gap": "jobs are settled before they run"})
    assert "1 xfailed" in _pytest(project)
    write("lease_shop/worker.py", "        queue.settle(job)\n" + right, right)
    closed = _pytest(project)
    assert "1 failed" in closed and "XPASS(strict)" in closed


def _pytest(project):
    """What pytest says of the maps alone."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--jobharness",
        "scenarios/shop.toml",
        "-k",
        "crash and map",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=False)
    return done.stdout + done.stderr


def _write_scenario(project, name, crashmap):
    scenario = lease_shop(order_id="o-1", amount=3).model_dump(exclude_unset=True, by_alias=True)
    lines = [f"title = {json.dumps(scenario['title'])}"]
    lines += [_table(table, scenario[table]) for table in ("queue", "broker", "contract")]
    lines += [_table("crashmap", {**scenario["crashmap"], **crashmap})]
    lines += ['[workload]\narrivals = { rate = "1/s" }\nduration = "1s"\n[[workload.job]]\ntask = "charge"']
    lines += ['kwargs = { order_id = "o-1", amount = 3 }']
    (project / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
