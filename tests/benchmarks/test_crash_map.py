"""How long a crash map takes, and what random kills of the same app find in the time that they get.

Random kills get `RANDOM_S` of load each, one run for each of `SEEDS`, at each of `RATES`. One that loses no job in that time counts
with all of it: the ratio is then a lower bound. Their clock starts when the first job is sent, and stops when the first job that is
lost has been passed over: one that was sent after it is done. Nobody can be sure of its loss as soon as that. The map's clock starts
before anything does, and stops when the loss was decided.
"""

import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobharness.explore.outcome import Word
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.scenario.model import Scenario

ROOT = Path(__file__).parents[2]
RANDOM_S = 150
SEEDS = range(1, 6)
AT_ONCE = 3  # Of the runs with random kills, so that no worker has to wait for a processor when it starts.
RATES = (5, 1, 0.2)  # Jobs per second. To the map it is all one: it needs a single job.
LEASE = {"visibility_timeout": 3, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}


def scenario(pool, **more):
    plain = {
        "title": f"celery {pool}",
        "queue": {
            "adapter": "celery",
            "app": "scenarios.apps.celery_shop:app",
            "pool": pool,
            "concurrency": 1,
            "arguments": ["--without-gossip", "--without-mingle"],
            "settings": {"task_acks_late": True, "task_reject_on_worker_lost": True, "broker_transport_options": LEASE},
            "env": {"CELERY_BROKER_URL": "{broker.url}", "SHOP_DATABASE": "{run.folder}/shop.sqlite3"},
            "ready_within": "60s",
            "restart_delay": "0ms",
        },
        "broker": {"kind": "redis"},
        "workload": {
            "arrivals": {"process": "poisson", "rate": "5/s"},
            "duration": f"{RANDOM_S}s",
            "job": [{"task": "scenarios.apps.celery_shop.charge", "kwargs": {"order_id": "{faker.uuid4}", "amount": 3}}],
        },
        "contract": {"delivery": "at-least-once", "recovery": "10s"},
        "crashmap": {},
    }
    return Scenario.model_validate({**plain, **more})


def random_kills(seed, reports, rate):
    """`(seconds until the first lost job was passed over, words of outcomes seen)`."""
    fault = [{"kind": "kill", "target": "tree", "rate": "0.5/s", "times": "always"}]
    asked = scenario("solo", fault=fault).with_(workload__arrivals={"process": "poisson", "rate": f"{rate}/s"})
    result = Harness(ROOT, reports).run(asked, seed=seed)
    history = result.history
    lost = set(result.verdict["at_least_once"].jobs) - set(history.of(Kind.JOB_HELD).collect()["job"])
    sent_ns = dict(history.of(Kind.ENQUEUE_BEGIN).collect().select("job", "time_ns").iter_rows())
    done = history.of(Kind.JOB_FINISHED).collect().select("job", "time_ns").iter_rows()
    first_lost_ns = min((sent_ns[job] for job in lost), default=None)
    passed_ns = [] if first_lost_ns is None else [time_ns for job, time_ns in done if sent_ns[job] > first_lost_ns]
    moments = [(time_ns - min(sent_ns.values())) / 1e9 for time_ns in passed_ns]
    metrics = result.metrics
    words = {Word.ONCE} | ({Word.LOST} if metrics["jobs.lost"].value else set())
    words |= {Word.TWICE} if metrics["jobs.duplicated"].value else set()
    return min(moments, default=float(RANDOM_S)), words


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_map_of_one_job_takes_seconds(figure, tmp_path, pool):
    chart = Harness(ROOT, tmp_path).crash_map(scenario(pool))
    how = f"{len(chart.tried)} points, {sum(len(one.trials) for one in chart.tried)} trials, one map"
    figure(f"crash map of a job, Celery and Redis, {pool}", chart.took_s, 20.0, "s", how)


def test_loss_is_found_sooner_than_by_random_kills(figure, tmp_path):
    maps = [Harness(ROOT, tmp_path / f"map-{number}").crash_map(scenario("solo")) for number in range(5)]
    mapped_s = statistics.median(chart.firsts[str(Word.LOST)] for chart in maps)
    all_words = len({tried.worst.word for tried in maps[0].tried})
    for rate in RATES:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            random = list(pool.map(lambda seed, rate=rate: random_kills(seed, tmp_path / f"random-{rate}-{seed}", rate), SEEDS))
        random_s = statistics.median(seconds for seconds, _ in random)
        how = f"medians of 5: {random_s:.0f} s (of {RANDOM_S} s at most) to {mapped_s:.1f} s"
        figure(f"first lost job: random kills to the map, {rate:g} jobs/s", random_s / mapped_s, 10.0, "x", how, at_least=True)
        found = statistics.median(len(words) for _, words in random)
        figure(
            f"outcomes found: random kills to the map, {rate:g} jobs/s",
            found / all_words,
            1.0,
            "",
            f"{found:g} of {all_words} words, {RANDOM_S} s each",
        )
