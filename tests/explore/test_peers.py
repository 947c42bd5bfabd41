"""Whom a job meets beside its broker, in crash maps of real workers: PostgreSQL, an HTTP API, the upstream by its own name."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from jobharness.explore.outcome import Word
from jobharness.harness import Harness
from tests.explore.test_crash_map import celery, require_binary

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios" / "crashmap"


@pytest.fixture
def mapped(tmp_path):
    """`mapped(name)`: the map of a scenario, and by sentence what was wrong at each of its points."""

    def make(name):
        require_binary("rabbitmq-server")
        require_binary("postgres")
        chart = Harness(ROOT, tmp_path).crash_map(SCENARIOS / f"{name}.toml")
        assert chart.control.worst.word is Word.ONCE and not chart.control.wrong
        return chart, {tried.point.sentence(): tried.wrong for tried in chart.tried}

    return make


def test_effect_in_postgres_is_doubled_by_a_crash_between_its_commit_and_the_acknowledgement(mapped):
    chart, wrong = mapped("booked_twice")
    assert [step.label for step in chart.steps] == ["basic.deliver", "shop: COMMIT (INSERT)", "basic.ack"]
    doubled = {sentence for sentence, found in wrong.items() if "no order is booked twice" in found}
    assert doubled == {
        "shop: COMMIT (INSERT): worker killed, its reply on its way",
        "shop: COMMIT (INSERT): its reply lost, worker lives",
        "basic.ack: worker killed before it leaves",
    }
    assert chart.verdict == "broken" and Word.LOST not in chart.counts


def test_effect_in_postgres_under_a_unique_key_is_right_at_every_crash(mapped):
    chart, _ = mapped("booked_once")
    assert chart.verdict == "holds"
    assert Word.TWICE in chart.counts  # Run twice, and booked once.


def test_charge_that_is_sent_before_it_is_noted_is_made_twice_by_the_ledger_of_the_api(mapped):
    chart, wrong = mapped("charged_twice")
    assert [sentence for sentence, found in wrong.items() if found] == [
        "upstream: POST /charges: worker killed, its reply on its way",
        "upstream: POST /charges: its reply lost, worker lives",
        "shop: COMMIT (INSERT): worker killed before it leaves",
    ]
    assert chart.verdict == "broken"


def test_charge_whose_key_is_noted_before_it_is_sent_is_made_once_at_every_crash(mapped):
    chart, _ = mapped("charged_once")
    assert chart.verdict == "holds"
    assert [step.peer for step in chart.steps] == ["", "shop", "upstream", ""]


def learnt(scenario, tmp_path):
    """The map's steps alone: nothing but the control is tried."""
    chart = Harness(ROOT, tmp_path).crash_map(scenario.with_(crashmap__budget="0s"))
    assert chart.control.worst.word is Word.ONCE
    return [step.label for step in chart.steps]


def receipt(url, **more):
    scenario = celery().with_(queue__env__SHOP_MAIL_URL=url, **more)
    job = {"task": "scenarios.apps.celery_shop.send_receipt", "kwargs": {"order_id": "o-1", "email": "a@example.com"}}
    return scenario.with_(workload__job=[job])


def test_upstream_that_the_app_calls_by_its_own_name_over_https_is_a_peer(tmp_path):
    require_binary("redis-server")
    scenario = receipt("https://mail.example.com/v1", upstream={"hosts": ["https://mail.example.com"]})
    labels = learnt(scenario, tmp_path)
    assert labels.index("EXEC (ZADD, HSET)") < labels.index("upstream: POST /v1/messages") < labels.index("EXEC (ZREM, HDEL)")


class Mail(BaseHTTPRequestHandler):
    """Takes every letter."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"ok": True}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


def test_api_that_runs_already_is_a_peer_by_its_address(tmp_path):
    require_binary("redis-server")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mail) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        peer = {"name": "mail", "kind": "http", "url": f"http://127.0.0.1:{server.server_port}"}
        labels = learnt(receipt("{peer.mail}", peer=[peer]), tmp_path)
        server.shutdown()
    assert "mail: POST /messages" in labels
