"""Unchanged code that calls a named host reaches the upstream, by each HTTP client, and each request is its job's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.runner.surroundings import AGENT_PATH
from tests.support.upstream import upstream_at

CALLER = Path(__file__).with_name("caller.py")
HOSTS = ("https://api.example.com", "http://plain.example.com", "http://any.example.org:8080", "bare.example.org")
URLS = (
    "https://api.example.com/v1/mails",
    "http://plain.example.com/v1/mails",
    "http://ANY.example.org:8080/",
    "https://bare.example.org/",
)
CLIENTS = ("urllib", "urllib3", "requests", "httpx", "httpx_async", "aiohttp", "httpx_uvloop", "aiohttp_uvloop")
KEY = bytes(range(16))

pytestmark = pytest.mark.real


def call(upstream, place, client, *urls):
    env = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
        "PYTHONPATH": str(AGENT_PATH),
        "JOBHARNESS_HISTORY": str(place / "records"),
        "JOBHARNESS_UPSTREAM": json.dumps(upstream.ways),
    }
    command = [sys.executable, str(CALLER), client, KEY.hex(), *urls]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    """One upstream with three hosts, and its folder."""
    place = tmp_path_factory.mktemp("led")
    with upstream_at(place, hosts=HOSTS) as upstream:
        yield upstream, place


@pytest.mark.parametrize("client", CLIENTS)
def test_calls_of_named_hosts_come_to_the_upstream_with_their_job(led, client):
    upstream, place = led
    before = len(requests(place))
    done = call(upstream, place, client, *URLS)
    assert done.stdout.split() == ["200"] * len(URLS), done.stderr[-2000:]
    seen = requests(place)[before:]
    assert [row["route"] for row in seen] == ["POST /v1/mails", "POST /v1/mails", "POST /", "POST /"]
    assert {row["key"] for row in seen} == {KEY}


def requests(place):
    history = log.gather(place / "records", {})
    keys = {
        number: high.to_bytes(8, "big") + low.to_bytes(8, "big") for number, (high, low, _) in enumerate(history.jobs.iter_rows())
    }
    rows = history.of(Kind.UPSTREAM_REQUEST).collect().iter_rows(named=True)
    return [{"route": history.text(row["task"]), "key": keys.get(row["job"])} for row in rows]


@pytest.mark.parametrize("client", ["urllib", "aiohttp_uvloop"])
def test_another_port_of_a_named_host_is_refused_and_never_called(led, client):
    done = call(*led, client, "http://api.example.com:9999/")
    assert done.returncode != 0 and "jobharness leads api.example.com to its upstream" in done.stderr


def test_certificate_is_still_checked_against_the_name(led):
    upstream, place = led
    done = call(upstream, place, "urllib", f"https://localhost:{upstream.ways['tls']}/")
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr


def test_without_the_agent_the_run_s_certificate_is_trusted_by_nobody(led):
    upstream, _ = led
    code = f"import urllib.request; urllib.request.urlopen('https://127.0.0.1:{upstream.ways['tls']}/')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
