"""The verdict arrives at a real HTTP server: signed, tried again when it is refused for now, and never in the way."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobharness.integrations.webhook import SIGNATURE, body_of, deliver
from jobharness.processes.ports import free_port
from jobharness.scenario.model import WebhookSpec


@pytest.fixture
def receiver():
    """`receiver(*answers)`: starts a server that gives these answers in turn, each a status or (status, headers); returns its URL and
    what it got."""
    servers = []

    def start(*answers):
        got, left = [], list(answers)

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self):
                got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                answer = left.pop(0)
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/hooks/secret-path", got

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_delivery_is_signed_so_that_its_receiver_can_tell(receiver, run, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    url, got = receiver(200)
    assert deliver(WebhookSpec(url=url, secret_env="HOOK_SECRET"), run) == "webhook: 127.0.0.1 took the verdict"
    headers, body = got[0]
    moment, mac = (part.split("=")[1] for part in headers[SIGNATURE].split(","))
    assert hmac.compare_digest(mac, hmac.new(b"s3cret", moment.encode() + b"." + body, hashlib.sha256).hexdigest())
    assert json.loads(body)["metrics"]["jobs.lost"] == 1


def test_429_and_5xx_are_tried_again_after_what_they_ask_for(receiver, run):
    url, got = receiver((429, {"Retry-After": "3"}), 503, 200)
    waits = []
    assert deliver(WebhookSpec(url=url), run, waits.append) == "webhook: 127.0.0.1 took the verdict at attempt 3"
    assert waits == [3.0, 1.0]
    assert len({headers["X-Jobharness-Delivery"] for headers, _ in got}) == 1


def test_a_refusal_is_final_and_says_so_without_the_secret_path(receiver, run):
    url, got = receiver(404)
    said = deliver(WebhookSpec(url=url), run)
    assert said == "webhook: 127.0.0.1 did not take the verdict (HTTP 404); the gate is not affected"
    assert len(got) == 1


def test_nobody_there_is_tried_four_times_and_raises_nothing(run):
    waits = []
    said = deliver(WebhookSpec(url=f"http://127.0.0.1:{free_port()}/"), run, waits.append)
    assert "refused" in said
    assert waits == [0.5, 1.0, 2.0]


def test_a_missing_address_in_the_environment_is_said(run, monkeypatch):
    monkeypatch.delenv("NO_HOOK", raising=False)
    assert deliver(WebhookSpec(url_env="NO_HOOK"), run) == "webhook: the environment has no NO_HOOK; nothing was sent"


def test_a_catch_hook_gets_flat_fields_and_slack_a_message_with_nothing_unescaped(run):
    flat = json.loads(body_of("zapier", run))
    assert (flat["verdict"], flat["metric_jobs_lost"], flat["metric_latency_p95"]) == ("broken", 1, 0.5)
    assert not any(isinstance(value, dict | list) for value in flat.values())
    message = json.loads(body_of("slack", run))
    text = message["blocks"][0]["text"]["text"]
    assert text.splitlines() == ["*a: broken*", "1 of 3 jobs were lost", "1 lost", "`jobharness run scenarios/a.toml`"]
