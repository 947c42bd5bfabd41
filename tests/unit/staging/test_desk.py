"""Where Locust's processes may send: as a run, nowhere by accident."""

import pytest

from jobharness.errors import InvalidRequest
from jobharness.staging.desk import Desk

SCENARIO = """
title = "a desk"
{more}
[queue]
adapter = "celery"
app     = "shop:app"
env     = {{ CELERY_BROKER_URL = "{{broker.url}}" }}
[broker]
kind = "redis"
[workload]
arrivals = {{ process = "constant", rate = "{rate}" }}
duration = "1s"
[[workload.job]]
{job}
"""


@pytest.mark.parametrize(
    ("more", "rate", "job", "host", "broker", "message"),
    [
        ("", "1/s", 'task = "t"', "http://192.0.2.1:8000", "", r"--host: 192.0.2.1 is not on this machine"),
        ("", "1/s", 'task = "t"', "", "redis://192.0.2.1/0", r"variable CELERY_BROKER_URL: 192.0.2.1 is not on this machine"),
        ("", "1/s", 'task = "t"', "", "redis://127.0.0.1/prod", r"CELERY_BROKER_URL: prod looks like production"),
        ('environment = "staging"', "900/s", 'task = "t"', "", "", r"limits.rate: the load comes to 900 jobs a second"),
    ],
)
def test_locusts_processes_are_under_the_guard_rails(tmp_path, monkeypatch, more, rate, job, host, broker, message):
    monkeypatch.setenv("CELERY_BROKER_URL", broker)
    path = tmp_path / "desk.toml"
    path.write_text(SCENARIO.format(more=more, rate=rate, job=job), encoding="utf-8")
    with pytest.raises(InvalidRequest, match=message):
        Desk.of_scenario(path, host)


def test_webhooks_are_not_sent_by_locust(tmp_path):
    path = tmp_path / "desk.toml"
    job = 'post = "/hook"\nkwargs = { id = "1" }\ndelivery = {}'
    service = '[service]\ncommand = ["uvicorn"]'
    path.write_text(SCENARIO.format(more="", rate="1/s", job=job) + service, encoding="utf-8")
    with pytest.raises(InvalidRequest, match=r"which Locust's users cannot; use `jobharness run`"):
        Desk.of_scenario(path, "")
