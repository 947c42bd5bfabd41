"""How long a crash map takes, and what random kills of the same app find: their first lost job, and the outcomes in a map's time.

Random kills get `RANDOM_S` of load each, one run for each of `SEEDS`, at each of `RATES`. One that loses no job in that time counts
with all of it: the ratio is then a lower bound. Their clock starts when the first job is sent, and stops when the first job that is
lost has been passed over: one that was sent after it is done. Nobody can be sure of its loss as soon as that. The map's clock starts
before anything does, and stops when the loss was decided.
"""

import math
import statistics
from collections import defaultdict
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
    """Seconds until each outcome was seen first, by its word; of a loss, until the job was passed over. Not of what is stuck: that is
    known only in the end."""
    fault = [{"kind": "kill", "target": "tree", "rate": "0.5/s", "times": "always"}]
    asked = scenario("solo", fault=fault).with_(workload__arrivals={"process": "poisson", "rate": f"{rate}/s"})
    result = Harness(ROOT, reports).run(asked, seed=seed)
    history = result.history
    lost = set(result.verdict["at_least_once"].jobs) - set(history.of(Kind.JOB_HELD).collect()["job"])
    sent_ns = dict(moments(history, Kind.ENQUEUE_BEGIN))
    first_lost_ns = min((sent_ns[job] for job in lost), default=math.inf)
    done_ns = defaultdict(list)
    for job, time_ns in moments(history, Kind.JOB_FINISHED):
        done_ns[job].append(time_ns)
    seen_ns = {
        Word.ONCE: [times[0] for times in done_ns.values()],
        Word.TWICE: [times[1] for times in done_ns.values() if len(times) > 1],
        Word.LOST: [times[0] for job, times in done_ns.items() if sent_ns[job] > first_lost_ns],
        Word.DEAD_LETTERED: [time_ns for _, time_ns in moments(history, Kind.JOB_DEAD)],
    }
    return {word: (min(times) - min(sent_ns.values())) / 1e9 for word, times in seen_ns.items() if times}


def moments(history, kind):
    """The events of a kind in order, each as its job and when it was."""
    return history.of(kind).collect().select("job", "time_ns").sort("time_ns").rows()


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
        random_s = statistics.median(seen.get(Word.LOST, float(RANDOM_S)) for seen in random)
        how = f"medians of 5: {random_s:.0f} s (of {RANDOM_S} s at most) to {mapped_s:.1f} s"
        figure(f"first lost job: random kills to the map, {rate:g} jobs/s", random_s / mapped_s, 10.0, "x", how, at_least=True)
        found = statistics.median(sum(seconds <= maps[0].took_s for seconds in seen.values()) for seen in random)
        figure(
            f"outcomes found: random kills to the map, {rate:g} jobs/s",
            found / all_words,
            1.0,
            "",
            f"{found:g} words, and the map's {all_words}, in the {maps[0].took_s:.0f} s that one map takes",
        )
