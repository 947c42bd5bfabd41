"""Where nothing can be read: a map says so, names what helps, and is made by socket writes."""

import socket
from threading import Thread

import pytest

from jobharness.errors import InvalidRequest, TrafficUnreadable
from jobharness.explore.outcome import Word
from jobharness.harness import Harness
from tests.explore.test_crash_map import ROOT, celery, outcomes, require_binary
from tests.explore.test_peers import receipt

INSTEAD = r'\[crashmap\] steps = "writes"'


def by_tls(pool, **more):
    """Celery's defaults on a Redis that speaks TLS alone."""
    return celery(pool).with_(broker__tls=True, queue__settings={}, **more)


def test_encrypted_broker_is_refused_before_anything_starts_with_what_helps(tmp_path):
    with pytest.raises(InvalidRequest, match=f"rediss:// is encrypted here.*{INSTEAD}"):
        Harness(ROOT, tmp_path).crash_map(by_tls("solo"))
    assert not list(tmp_path.iterdir())


def test_redis_by_tls_is_mapped_by_socket_writes_and_early_acknowledgement_loses_the_job(tmp_path):
    """The same gaps as by messages: the pop's answer, and what comes after the acknowledgement, in the midst of the job."""
    require_binary("redis-server")
    scenario = by_tls("prefork", queue__concurrency=1, queue__env__SHOP_CARD_NETWORK_S="1", crashmap__steps="writes")
    chart = Harness(ROOT, tmp_path).crash_map(scenario)
    assert chart.control.worst.word is Word.ONCE and chart.verdict == "broken"
    assert chart.steps[0].take and [step.label for step in chart.steps[1:3]] == ["write 1", "write 2"]
    found = outcomes(chart)
    assert found["reply to write: worker killed, its reply on its way"] is Word.LOST
    assert found["write 1: worker killed, its reply on its way"] is Word.ONCE  # Noted as not acknowledged, and given again.
    assert found["write 2: worker killed, its reply on its way"] is Word.LOST  # Acknowledged, and not yet done.


def test_file_has_no_socket_writes(tmp_path):
    scenario = celery().with_(crashmap__steps="writes", broker={"kind": "sqlite"})
    with pytest.raises(InvalidRequest, match=f"sqlite has no connection.*{INSTEAD}"):
        Harness(ROOT, tmp_path).crash_map(scenario)


def test_learning_run_that_hears_an_unknown_protocol_says_so_with_what_helps(tmp_path):
    require_binary("redis-server")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x16")  # As a server by TLS answers who does not speak it.

        Thread(target=answer, daemon=True).start()
        peer = {"name": "mail", "kind": "http", "url": f"http://127.0.0.1:{server.getsockname()[1]}"}
        with pytest.raises(TrafficUnreadable, match=f"to mail is passed on unframed: it is no HTTP/1.1.*{INSTEAD}"):
            Harness(ROOT, tmp_path).crash_map(receipt("{peer.mail}", peer=[peer]))
