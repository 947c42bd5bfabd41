"""Nothing outside this machine by accident, and never production."""

import pytest

from jobharness.errors import InvalidRequest, ScenarioInvalid
from jobharness.runner.ceilings import check_ceilings, check_load
from jobharness.runner.guard import Guard
from jobharness.scenario.load import scenario_from

PLAIN = {
    "title": "a production of Hamlet, see https://prod.example.com",
    "queue": {"adapter": "celery", "app": "shop:app"},
    "broker": {"kind": "redis"},
    "workload": {"arrivals": {"process": "constant", "rate": "5/s"}, "duration": "2s", "job": [{"task": "shop.charge"}]},
}
NAMES = {
    "localhost": (("127.0.0.1", "::1"), "localhost"),
    "2130706433": (("127.0.0.1",), "2130706433"),
    "3232235777": (("192.168.1.1",), "3232235777"),
    "127.0.0.1": (("127.0.0.1",), "127.0.0.1"),
    "127.0.0.2": (("127.0.0.2",), "127.0.0.2"),
    "::1": (("::1",), "::1"),
    "::ffff:127.0.0.1": (("::ffff:127.0.0.1",), ""),
    "::ffff:10.0.0.1": (("::ffff:10.0.0.1",), ""),
    "half-here.example.com": (("127.0.0.1", "10.0.0.9"), ""),
    "redis.staging.example.com": (("10.0.0.7",), "redis.staging.example.com"),
    "cache.staging.example.com": (("10.0.0.8",), "redis.prod.example.com"),
}
STAGING = {
    "environment": "staging",
    "hosts": ["redis.staging.example.com", "cache.staging.example.com", "redis-prod.example.com"],
}


def scenario(**changes):
    plain = {**PLAIN, "queue": dict(PLAIN["queue"]), "broker": dict(PLAIN["broker"]), "workload": dict(PLAIN["workload"])}
    for name, value in changes.items():
        place, _, key = name.partition("__")
        if key:
            plain[place][key] = value
        else:
            plain[place] = value
    return scenario_from(plain, "shop.toml")


def check(environ=None, **changes):
    guard = Guard(scenario(**changes), "shop.toml", lambda host: NAMES.get(host, ((), "")), environ or {})
    guard.check()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"broker__url": "redis://localhost:6379/0"},
        {"broker__url": "redis://2130706433:6379/0"},
        {"broker__url": "redis://[::1]:6379/0"},
        {"broker__url": "redis://[::ffff:127.0.0.1]:6379/0"},
        {"broker__url": "redis+socket:///tmp/redis.sock"},
        {"broker__url": "redis://redis.staging.example.com/0", **STAGING},
        {"broker__url": "redis://Redis.Staging.Example.COM./0", **STAGING},
        {"queue__env": {"MAIL_URL": "https://mail.example.com/v1"}, "upstream": {"hosts": ["https://mail.example.com"]}},
        {"queue__env": {"BROKER": "{broker.url}", "REDIS_HOST": "{broker.url}"}},
        {"queue__env": {"A": "{broker.url}", "B": "http://127.0.0.1:{service.port}/x", "ALLOWED_HOSTS": "shop.example.com"}},
        {"queue__env": {"CARD_ADDRESS": "1 Main Street, Springfield!"}},
        {"workload__job": [{"task": "shop.mail", "kwargs": {"text": "see https://prod.example.com/ for more"}}]},
        {"workload__job": [{"task": "shop.crawl", "kwargs": {"url": "https://{faker.domain_name}/"}}]},
    ],
)
def test_what_is_here_or_declared_is_let_through(changes):
    check(**changes)


@pytest.mark.parametrize(
    ("changes", "key", "host"),
    [
        ({"broker__url": "redis://redis.staging.example.com/0"}, "broker.url", "redis.staging.example.com"),
        ({"broker__url": "redis://other.example.com/0", **STAGING}, "broker.url", "other.example.com"),
        ({"broker__url": "redis://localhost@other.example.com/0"}, "broker.url", "other.example.com"),
        ({"broker__url": "redis://3232235777/0"}, "broker.url", "3232235777"),
        ({"broker__url": "redis://[::ffff:10.0.0.1]/0"}, "broker.url", "::ffff:10.0.0.1"),
        ({"broker__url": "redis://half-here.example.com/0"}, "broker.url", "half-here.example.com"),
        ({"broker__url": "amqp://localhost//;amqp://other.example.com//"}, "broker.url", "other.example.com"),
        (
            {"queue__env": {"DATABASE_URL": "postgresql://localhost/shop?host=other.example.com"}},
            "queue.env.DATABASE_URL",
            "other",
        ),
        ({"queue__env": {"REDIS_HOST": "other.example.com:6379"}}, "queue.env.REDIS_HOST", "other.example.com"),
        ({"queue__env": {"CELERY_BROKER_URL": "sqs://"}}, "queue.env.CELERY_BROKER_URL", "sqs"),
        ({"queue__env": {"DSN": "dbname=shop host=other.example.com"}}, "queue.env.DSN", "other.example.com"),
        ({"queue__settings": {"result_backend": "redis://other.example.com"}}, "queue.settings.result_backend", "other"),
        ({"queue__settings": {"hosts": ["other.example.com"]}}, r"queue.settings.hosts\[0\]", "other.example.com"),
        ({"queue__arguments": ["--broker=redis://other.example.com"]}, r"queue.arguments\[0\]", "other.example.com"),
        ({"webhook": [{"url": "https://hooks.example.com/x"}]}, r"webhook\[0\].url", "hooks.example.com"),
        ({"prometheus": {"scrape": ["http://other.example.com/metrics"]}}, r"prometheus.scrape\[0\]", "other.example.com"),
        (
            {"workload__job": [{"task": "t", "kwargs": {"url": "https://other.example.com/"}}]},
            r"workload.job\[0\].kwargs.url",
            "other",
        ),
    ],
)
def test_what_is_elsewhere_is_refused_whichever_key_names_it(changes, key, host):
    with pytest.raises(ScenarioInvalid, match=rf"^shop.toml: {key}: {host}\S* is not on this machine.*list the host in `hosts`$"):
        check(**changes)


@pytest.mark.parametrize(
    ("changes", "name", "word"),
    [
        ({"broker__url": "redis://redis-prod.example.com/0", **STAGING}, "redis-prod.example.com", "prod"),
        ({"broker__url": "redis://REDIS-PROD.example.com/0", **STAGING}, "REDIS-PROD.example.com", "prod"),
        ({"broker__url": "postgresql://localhost:5433/shop_live"}, "shop_live", "live"),
        ({"broker__url": "amqp://guest:x@localhost/%2Fproduction"}, "production", "production"),
        ({"broker__url": "redis://prd@localhost/0"}, "prd", "prd"),
        ({"queue__env": {"DB": "postgresql://localhost/shop?dbname=prod"}}, "prod", "prod"),
        ({"broker__url": "redis://localhost/main", "production": ["main"]}, "main", "main"),
    ],
)
def test_what_looks_like_production_is_refused_until_it_is_repeated_word_for_word(changes, name, word):
    with pytest.raises(ScenarioInvalid, match=rf'{name} looks like production \(the word \'{word}\'\).*confirm = \["{name}"\]$'):
        check(**changes)
    with pytest.raises(ScenarioInvalid, match="looks like production"):
        check(**changes, confirm=[name + "."])
    check(**changes, confirm=[name])


def test_another_name_for_production_is_found_out():
    elsewhere = {"broker__url": "redis://cache.staging.example.com/0", **STAGING}
    with pytest.raises(
        ScenarioInvalid, match=r"cache.staging.example.com, which is redis.prod.example.com, looks like production"
    ):
        check(**elsewhere)
    check(**elsewhere, confirm=["redis.prod.example.com"])


def test_confirming_a_name_does_not_let_its_host_be_reached():
    with pytest.raises(ScenarioInvalid, match="is not on this machine"):
        check(broker__url="redis://redis-prod.example.com/0", confirm=["redis-prod.example.com"])


def test_stores_that_a_worker_would_inherit_are_looked_at_and_tools_are_not():
    environ = {"DATABASE_URL": "postgres://db.example.com/shop", "PIP_INDEX_URL": "https://pypi.prod.example.com/"}
    with pytest.raises(
        ScenarioInvalid, match=r"variable DATABASE_URL: db.example.com is not on this machine.*would inherit it: unset"
    ):
        check(environ)
    check(environ, queue__env={"DATABASE_URL": "postgresql://127.0.0.1/shop"})
    with pytest.raises(ScenarioInvalid, match="variable PGHOST"):
        check({"PGHOST": "db.example.com"})
    check({"PIP_INDEX_URL": "https://pypi.prod.example.com/", "KUBERNETES_PORT": "tcp://10.96.0.1:443", "PGHOST": "/var/run"})


def test_the_address_of_a_webhook_in_the_environment_is_looked_at():
    hook = {"webhook": [{"url_env": "HOOK"}]}
    check({}, **hook)
    with pytest.raises(ScenarioInvalid, match=r"webhook\[0\].url_env \(HOOK\): hooks.example.com is not on this machine"):
        check({"HOOK": "https://hooks.example.com/secret"}, **hook)


def test_an_ambiguous_address_is_an_error_of_its_key():
    with pytest.raises(ScenarioInvalid, match=r"broker.url: the address has an `@`.*%40"):
        check(broker__url="redis://:p@ss@localhost/0")


def test_one_address_can_be_asked_for():
    guard = Guard(scenario(), "shop.toml", lambda host: NAMES.get(host, ((), "")), {})
    guard.check_url("--host", "http://127.0.0.1:8000")
    with pytest.raises(InvalidRequest, match=r"--host: other.example.com"):
        guard.check_url("--host", "http://other.example.com")


def workload(**arrivals):
    job = arrivals.pop("job", {"task": "t"})
    duration = arrivals.pop("duration", "2s")
    spec = {"arrivals": arrivals, "job": [job]}
    return {**spec, "duration": duration} if duration else spec


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (
            workload(process="constant", rate="51/s"),
            r"limits.rate: the load comes to 51 jobs a second, and in staging at most 50 is",
        ),
        (workload(process="constant", rate="6/s", job={"task": "t", "burst": 10}), "60 jobs a second"),
        (workload(process="ramp", rate="1/s", to="90/s"), "90 jobs a second"),
        (workload(process="spike", rate="1/s", jobs=100), "101 jobs a second"),
        (workload(process="backlog", jobs=51, duration=None), "51 jobs a second"),
        (
            workload(process="constant", rate="40/s", duration="9m"),
            r"limits.jobs: .*more than 20000 jobs.*raise the ceiling: \[limits\]",
        ),
        (workload(process="constant", rate="1/s", duration="11m"), r'660 s, and in staging at most 600 s.*duration = "660s"'),
    ],
)
def test_a_load_beyond_the_ceilings_is_refused_in_staging_alone(work, message, tmp_path):
    check_ceilings(scenario(workload=work), tmp_path, "shop.toml")
    with pytest.raises(ScenarioInvalid, match=message):
        check_ceilings(scenario(workload=work, environment="staging"), tmp_path, "shop.toml")
    raised = {"rate": "1000/s", "jobs": 1_000_000, "duration": "1h"}
    check_ceilings(scenario(workload=work, environment="staging", limits=raised), tmp_path, "shop.toml")


def test_a_trace_is_counted(tmp_path):
    lines = ["at_s,task", *(f"{number / 100},t" for number in range(60))]
    (tmp_path / "trace.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ScenarioInvalid, match="60 jobs a second"):
        check_ceilings(scenario(workload={"trace": "trace.csv"}, environment="staging"), tmp_path, "shop.toml")


def test_a_load_by_users_has_the_same_ceilings():
    staging = scenario(environment="staging")
    check_load(staging, "--rate", rate=50, duration_s=600)
    with pytest.raises(ScenarioInvalid, match=r"--rate: limits.rate"):
        check_load(staging, "--rate", rate=51)
    check_load(scenario(), "--rate", rate=51)
