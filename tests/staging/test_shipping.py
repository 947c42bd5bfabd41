"""Records reach the collector, whatever becomes of the workers, the shipper, the collector and the way between them."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobharness.agent import record
from jobharness.agent.shipper import RUNNING
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.runner.surroundings import AGENT_PATH
from jobharness.staging.collector import Collector
from jobharness.staging.nodes import gather, read_node
from tests.support.shippers import shipper_of

pytestmark = pytest.mark.real

RECORDING = Path(__file__).parent / "apps" / "recording.py"
SOON_S = 30


@pytest.fixture
def own(tmp_path):
    """Where the node itself records."""
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@contextmanager
def recording(own, address, *words, node="east", **environ):
    """A process that records, the agent and its shipping switched on by environment alone."""
    environ = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(AGENT_PATH), "JOBHARNESS_HISTORY": str(own), "JOBHARNESS_ROLE": "worker",
        "JOBHARNESS_NAME": "worker-1", "JOBHARNESS_SHIP": address, "JOBHARNESS_NODE": node, **environ,
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, str(RECORDING), *map(str, words)], env=environ, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def said(process, count):
    """Wait until it has recorded so many jobs."""
    for _ in range(count):
        assert process.stdout.readline()


def told(folder):
    """Time, kind and text of every event in a folder."""
    history = log.gather(folder, {})
    texts = history.texts.gather(history.events["text"])
    return history.events.select("time_ns", "kind", "value").with_columns(text=texts)


def test_everything_of_a_process_that_ended_arrives(own, tmp_path):
    with Collector(tmp_path / "all") as collector:
        with recording(own, collector.address, 2000, 0) as process:
            process.communicate(timeout=SOON_S)
        assert collector.wait_until_ended({"east"}, SOON_S)
    assert told(tmp_path / "all" / "east").equals(told(own)) and told(own).height == 8000
    node = read_node(tmp_path / "all" / "east")
    assert node.ended and node.exchanges and node.host == socket.gethostname()
    assert wait_for(lambda: shipper_of(own) is None, SOON_S)


def test_killed_process_loses_nothing_that_it_had_recorded(own, tmp_path):
    with Collector(tmp_path / "all") as collector:
        with recording(own, collector.address, 0, 0.0001) as process:
            said(process, 3000)
            process.send_signal(signal.SIGKILL)
        assert collector.wait_until_ended({"east"}, SOON_S)
    mine = told(own)
    assert mine.height >= 12000 and told(tmp_path / "all" / "east").equals(mine)


def test_killed_shipper_is_begun_anew_by_the_next_process(own, tmp_path):
    with Collector(tmp_path / "all") as collector:
        with recording(own, collector.address, 0, 0.001) as process:
            said(process, 100)
            assert wait_for(lambda: shipper_of(own), SOON_S)
            os.kill(shipper_of(own), signal.SIGKILL)
            said(process, 100)
            with recording(own, collector.address, 10, 0) as other:
                other.communicate(timeout=SOON_S)
        assert collector.wait_until_ended({"east"}, SOON_S)
    assert told(tmp_path / "all" / "east").equals(told(own))
    assert len({path.name.rsplit(".", 2)[0] for path in own.glob("*.rec")}) == 2, "both processes recorded"


def test_collector_that_went_away_gets_the_rest_when_it_is_back(own, tmp_path):
    port = free_port()
    address = f"127.0.0.1:{port}"
    with recording(own, address, 0, 0.001) as process:
        said(process, 50)
        with Collector(tmp_path / "all", port=port) as collector:
            assert wait_for(lambda: any((tmp_path / "all" / "east").glob("*.rec")), SOON_S)
        said(process, 200)
        assert not read_node(tmp_path / "all" / "east").ended
        with Collector(tmp_path / "all", port=port) as collector:
            said(process, 50)
            process.kill()
            assert collector.wait_until_ended({"east"}, SOON_S)
    assert told(tmp_path / "all" / "east").equals(told(own))


def test_node_that_is_cut_off_has_vanished_and_what_arrived_is_whole(own, tmp_path):
    with recording(own, f"127.0.0.1:{(port := free_port())}", 0, 0.001) as process:
        with Collector(tmp_path / "all", port=port):
            assert wait_for(lambda: any((tmp_path / "all" / "east").glob("*.rec")), SOON_S)
            said(process, 300)
        os.kill(shipper_of(own), signal.SIGKILL)
    history = gather(tmp_path / "all")
    assert [node.vanished for node in history.nodes] == [True]
    assert 0 < len(history) < told(own).height
    assert history.header["torn"] == 0


def test_forks_are_shipped_too(own, tmp_path):
    code = "import os, sys\nif not os.fork():\n    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\nos.wait()"
    with Collector(tmp_path / "all") as collector:
        with recording(own, collector.address, 5, 0) as process:
            process.communicate(timeout=SOON_S)
        environ = {
            **os.environ,
            "PYTHONPATH": str(AGENT_PATH),
            "JOBHARNESS_HISTORY": str(own),
            "JOBHARNESS_SHIP": collector.address,
        }
        environ["JOBHARNESS_NODE"] = "east"
        subprocess.run([sys.executable, "-c", code, str(RECORDING), "5", "0"], env=environ, check=True, capture_output=True)
        assert wait_for(lambda: shipper_of(own) is None, SOON_S)
    assert told(tmp_path / "all" / "east").height == told(own).height == 40


@pytest.mark.parametrize(
    ("environ", "words"),
    [({"JOBHARNESS_SHIP_TOKEN": "guess"}, "the token is not this collector's"), ({"JOBHARNESS_NODE": "../up"}, "a node says hello with its name")],
)  # fmt: skip
def test_stranger_is_refused_and_told_why(own, tmp_path, environ, words):
    with Collector(tmp_path / "all", token="secret") as collector:
        with recording(own, collector.address, 5, 0, **environ) as process:
            process.communicate(timeout=SOON_S)
        assert wait_for((own / "shipper.refused").exists, SOON_S)
    assert words in (own / "shipper.refused").read_text()
    assert not list((tmp_path / "all").iterdir())


@pytest.mark.parametrize("name", ["../../escaped.rec", "/tmp/escaped.rec", "node.json", ".hidden.rec", "a\0.rec"])
def test_piece_with_a_strange_name_is_not_written(tmp_path, name):
    with Collector(tmp_path / "all") as collector:
        host, _, port = collector.address.rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            hello = {"hello": {"node": "east", "schema": record.SCHEMA}}
            connection.sendall(json.dumps(hello).encode() + b"\n")
            connection.recv(1000)
            connection.sendall(json.dumps({"put": name, "at": 0, "bytes": 3}).encode() + b"\nabc")
            assert connection.recv(10) == b""
    assert [path.name for path in (tmp_path / "all" / "east").iterdir()] == ["node.json"]
    assert not list(tmp_path.rglob("escaped*"))


def test_other_schema_is_refused(tmp_path):
    with Collector(tmp_path / "all") as collector:
        host, _, port = collector.address.rpartition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b'{"hello": {"node": "east", "schema": 99}}\n')
            assert b"records of schema 99 are not taken here" in connection.recv(1000)


def test_collector_that_is_away_costs_the_app_nothing(own):
    """It ends as it would without, and its records are there."""
    with recording(own, f"127.0.0.1:{free_port()}", 5, 0) as process:
        process.communicate(timeout=SOON_S)
        assert process.returncode == 0
    assert told(own).height == 20 and len(log.gather(own, {}).columns.rows(Kind.JOB_FINISHED)) == 5
    os.kill(shipper_of(own), signal.SIGKILL)
    assert (own / RUNNING).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_collect_takes_records_until_it_is_stopped_and_says_who_came(own, tmp_path, number):
    words = ["jobharness", "collect", str(tmp_path / "all"), "--port", str(port := free_port())]
    command = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    collecting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert f"JOBHARNESS_SHIP=127.0.0.1:{port}" in collecting.stdout.readline()
        with recording(own, f"127.0.0.1:{port}", 5, 0) as process:
            process.communicate(timeout=SOON_S)
        assert wait_for(lambda: (tmp_path / "all" / "east").exists() and read_node(tmp_path / "all" / "east").ended, SOON_S)
        assert wait_for(lambda: shipper_of(own) is None, SOON_S)
        collecting.send_signal(number)
        said, _ = collecting.communicate(timeout=SOON_S)
    finally:
        collecting.kill()
        collecting.wait()
    assert collecting.returncode == 0 and said.startswith("east: whole\njobharness merge ")
    assert [node.name for node in gather(tmp_path / "all").nodes] == ["collector", "east"]
