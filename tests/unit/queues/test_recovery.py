"""How long each library's own recovery may take, from its settings, and with which settings that takes seconds."""

import math

import pytest

from jobharness.catalog import QUEUES, queue_kind
from jobharness.explore.outcome import Lease, Outcome, Word
from jobharness.explore.recovery import Recovery, passed_of
from jobharness.queues.queue import App, ShortensLeases, TellsRecovery
from jobharness.scenario.model import QueueSpec

RQ = {"maintenance_interval": 600, "worker_ttl": 420, "job_monitoring_interval": 30}
SAQ = {"job.timeout": 10, "timers": {"schedule": 1, "sweep": 60, "abort": 1}}
DRAMATIQ = {"heartbeat_timeout": 60_000, "maintenance_chance": 1000}
CELERY = {"broker_transport_options": {"visibility_timeout": 600}}
# Adapter, broker, settings of the live app, the bound, the settings that shorten it, the bound then.
CASES = [
    ("celery", "redis", {}, 3710, {"visibility_timeout": 3, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}, 5),
    ("celery", "redis", CELERY, 710, {"visibility_timeout": 3, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}, 5),
    ("celery", "rabbitmq", {}, 3, {}, 3),
    ("celery", "sqlite", {}, math.inf, {}, math.inf),
    ("rq", "redis", RQ, 2160, {"maintenance_interval": 1, "worker_ttl": 16, "job_monitoring_interval": 3}, 127),
    ("dramatiq", "redis", DRAMATIQ, 4662.87, {"heartbeat_timeout": 3000, "maintenance_chance": 1_000_000}, 4),
    ("dramatiq", "redis", {**DRAMATIQ, "maintenance_chance": 0}, math.inf, {}, None),
    ("dramatiq", "rabbitmq", {}, 3, {}, 3),
    ("huey", "redis", {}, math.inf, None, None),
    ("arq", "redis", {"job_timeout": 300, "poll_delay": 0.5}, 310.5, {"job_timeout": 3}, 13.5),
    ("saq", "redis", SAQ, 135, {"timers": {"sweep": 1}}, 17),
    ("saq", "postgres", {**SAQ, "job.timeout": 0}, math.inf, {"timers": {"sweep": 1}}, math.inf),
    ("taskiq", "redis", {"broker": "RedisStreamBroker", "idle_timeout": 600_000, "block": 2000}, 602, {"idle_timeout": 3000}, 5),
    ("taskiq", "redis", {"broker": "ListQueueBroker"}, math.inf, {}, math.inf),
    ("taskiq", "rabbitmq", {"broker": "AioPikaBroker"}, 3, {}, 3),
    ("taskiq", "nats", {"broker": "PullBasedJetStreamBroker"}, 30, {}, 30),
    ("taskiq", "nats", {"broker": "NatsBroker"}, math.inf, {}, math.inf),
    ("procrastinate", "postgres", {}, math.inf, None, None),
    (
        "pgqueuer", "postgres", {"heartbeat_timeout": 30.0, "dequeue_timeout": 30.0}, 60,
        {"heartbeat_timeout": 3.0, "dequeue_timeout": 1.0}, 4,
    ),
    ("pgqueuer", "postgres", {"dequeue_timeout": 30.0}, math.inf, {"dequeue_timeout": 1.0}, math.inf),
    ("django-q2", "sqlite", {"retry": 60, "poll": 0.2}, 60.2, {"retry": 8, "timeout": 7}, 8.2),
    ("apscheduler", "sqlite", {}, math.inf, None, None),
]  # fmt: skip


def app_with(settings):
    tasks = {"charge": {"timeout_s": None}}
    return App("1.0", "3.11", {"job_timeout": 300, **settings}, tasks)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} on {case[1]}")
def test_bound_comes_from_the_live_settings_and_is_shortened_by_them(case):
    name, broker, settings, bound_s, shortening, shortened_s = case
    command = ["python"] if name in ("apscheduler", "python") else []
    queue = queue_kind(name)(QueueSpec(adapter=name, app="shop:app", command=command))
    assert isinstance(queue, TellsRecovery)
    assert queue.recovers_within_s(broker, app_with(settings)) == pytest.approx(bound_s, abs=0.01)
    assert isinstance(queue, ShortensLeases) == (shortening is not None)
    if shortened_s is None:
        return
    changes = queue.shortened(broker, app_with(settings), 3.0)
    assert changes == (shortening if name != "celery" or not shortening else {"broker_transport_options": shortening})
    assert queue.recovers_within_s(broker, app_with({**settings, **changes})) == pytest.approx(shortened_s, abs=0.01)


def test_every_library_but_the_users_own_says_how_long_it_takes():
    assert {name for name in QUEUES if not hasattr(queue_kind(name), "recovers_within_s")} == {"python"}


BACK = [Outcome(Word.ONCE, 1, back_s=2.44), Outcome(Word.LOST), Outcome(Word.TWICE, 2, back_s=1.0)]


def test_bound_stands_beside_what_was_seen():
    lease = Lease(3.0, 5.0, 3710.0, {"broker_transport_options": {"visibility_timeout": 3}})
    words = list(Recovery("celery", 5.0, lease=lease).words(BACK))
    assert words == [
        "celery's own recovery may take up to 5 s here: the slowest that was seen took 2.4 s",
        "recovery was waited for up to 5 s; what was not back by then is called stuck, or lost",
        "leases are shortened (visibility_timeout = 3): what takes up to 3710 s takes 5 s here",
    ]
    assert Recovery("celery", 5.0, lease=lease).plain(BACK) == {
        "bound_s": 5.0, "never": False, "configured_s": 3710.0, "waited_s": 5.0, "passed_s": [], "seen_s": 2.44, "said_s": None,
    }  # fmt: skip


def test_periods_that_are_passed_are_not_waited_for_and_said():
    recovery = Recovery("rq", 127.0, passed_s=(63.0, 60.0))
    assert recovery.waited_s == 4.0
    assert list(recovery.words([]))[1:] == [
        "of it 63 s, then 60 s were passed by the workers' clocks, put forward once nothing moved for 4 s",
        "what was not back after that is called stuck, or lost; passed time counts as time",
    ]
    assert recovery.plain([])["passed_s"] == [63.0, 60.0]


def test_periods_of_rq_that_no_setting_shortens_are_those_that_its_workers_clocks_pass():
    queue = queue_kind("rq")(QueueSpec(adapter="rq", app="shop:app"))
    app = app_with({"job_monitoring_interval": 3, "maintenance_interval": 1, "worker_ttl": 16})
    assert passed_of(queue, "redis", app) == (63.0, 60.0)
    # What is left are two sweeps, which rest on the connection's timeout.
    assert queue.recovers_within_s("redis", app) - sum(passed_of(queue, "redis", app)) == pytest.approx(4.0)
    assert passed_of(queue_kind("huey")(QueueSpec(adapter="huey", app="shop:app")), "redis", app) == ()


@pytest.mark.parametrize(
    ("recovery", "waited_s", "first"),
    [
        (Recovery("huey", math.inf), 4.0, "nothing of huey's own brings a job back that a dead worker had taken: none was seen"),
        (Recovery("huey", math.inf, promised_s=9.0), 9.0, "nothing of huey's own"),
        (Recovery("python", None), 4.0, "how long python may take to recover is not known here (crashmap.recovery sets it)"),
        (Recovery("rq", 65.0, said_s=8.0), 8.0, "rq's own recovery may take up to 65 s here"),
    ],
)
def test_without_a_bound_the_scenario_says_how_long_to_wait(recovery, waited_s, first):
    assert recovery.waited_s == waited_s
    assert next(iter(recovery.words([]))).startswith(first)
