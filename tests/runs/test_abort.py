"""Whoever aborts a run, and however: what is broken is whole again first, what was seen is kept, and the verdict is unknown."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.runner.abort import Abort
from tests.support.leftovers import leftovers

pytestmark = pytest.mark.real

HEALED_WITHIN_S = 8  # On a machine that is busy with other tests; tests/benchmarks judges the two seconds.

# One after another, as nothing runs any more on a broker that is full.
BROKEN = [
    {"kind": "pause", "name": "paused", "target": "worker", "on": "job.running", "worker": "worker-2", "for": "1h"},
    {"kind": "partition", "name": "network", "target": "worker-1", "after": "paused"},
    {"kind": "broker_full", "name": "full", "after": "network"},
]


class Onlooker:
    """A progress that does something once, when so many faults have struck."""

    def __init__(self, strikes, act):
        self.strikes, self.act = strikes, act

    def show(self, status):
        if status.strikes >= self.strikes and self.act is not None:
            act, self.act = self.act, None
            act()


@pytest.fixture
def broken(scenario):
    return scenario(
        title="everything is broken",
        queue={"workers": 2},
        workload={"duration": "60s", "arrivals": {"process": "constant", "rate": "20/s"}},
        fault=BROKEN,
        abort={"file": "stop-it"},
    )


def rows(history, kind):
    return list(history.of(kind).collect().iter_rows(named=True))


def checked(result, by):
    """What every aborted run has to show. Returns how long it took from the asking until all was healed, s."""
    history = result.history
    (aborted,) = rows(history, Kind.RUN_ABORTED)
    assert history.text(aborted["text"]) == by
    struck = {history.text(row["text"]) for row in rows(history, Kind.FAULT_BEGIN)}
    ends = rows(history, Kind.FAULT_END)
    assert struck == {"network", "full", "paused"} == {history.text(row["text"]) for row in ends}
    assert all(row["time_ns"] >= aborted["time_ns"] for row in ends)
    # A worker that still was stopped, or could not reach its broker, would have had to be killed. One that was only just starting again,
    # as the full broker ended the one before, dies of the SIGTERM that it does not handle yet.
    exits = [row["value"] for row in rows(history, Kind.WORKER_EXITED)]
    assert exits
    assert -signal.SIGKILL not in exits
    sent = [row["time_ns"] for row in rows(history, Kind.ENQUEUE_BEGIN)]
    assert max(sent) <= max(row["time_ns"] for row in ends)
    assert result.exit_code == 3
    assert str(result.verdict.word) == "unknown"
    assert f"cut short: aborted by {by}" in result.verdict["observed"].sentence
    assert (result.folder / "history.parquet").exists()
    assert (result.folder / "verdict.json").exists()
    return (max(row["time_ns"] for row in ends) - aborted["value"]) / 1e9


@pytest.mark.parametrize("way", ["file", "signal", "call"])
def test_aborted_run_is_healed_first_and_its_verdict_is_unknown(project, broken, way):
    abort = Abort()
    act, by = {
        "file": ((project / "stop-it").touch, f"the file {project / 'stop-it'}"),
        "signal": (lambda: os.kill(os.getpid(), signal.SIGUSR1), "SIGUSR1"),
        "call": (lambda: abort.ask("the stop button of the web page"), "the stop button of the web page"),
    }[way]
    try:
        result = Harness(project, progress=Onlooker(3, act), abort=abort).run(broken)
    finally:
        assert leftovers(str(project)) == []
    took_s = checked(result, by)
    print(f"\naborted by {by}: healed after {took_s * 1000:.0f} ms")
    assert took_s < HEALED_WITHIN_S


def test_run_that_is_aborted_while_it_is_being_provisioned_is_kept_too(project, broken):
    abort = Abort()
    abort.ask("a hasty person")
    result = Harness(project, abort=abort).run(broken)
    assert result.exit_code == 3
    assert "cut short: aborted by a hasty person" in result.verdict["observed"].sentence
    assert not rows(result.history, Kind.ENQUEUE_BEGIN)
    assert leftovers(str(project)) == []


def test_file_of_an_earlier_abort_is_refused_before_anything_is_started(project, broken):
    (project / "stop-it").touch()
    with pytest.raises(InvalidRequest, match=r"stop-it is there already, as an earlier abort left it; remove it first"):
        Harness(project).run(broken)
    assert list((project / "reports").iterdir()) == []


@pytest.fixture
def shop():
    """A shop's health URL that says 200 until `shop.status` is set to something else."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Health)
    server.status = 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def probe(port, **more):
    return {"name": "checkout", "url": f"http://127.0.0.1:{port}/health", "every": "50ms", **more}


def test_run_aborts_itself_when_its_error_budget_is_spent(project, broken, shop):
    def fail():
        shop.status = 503

    changes = {"abort": {"probe": [probe(shop.server_port, **{"for": "200ms"})]}}
    result = Harness(project, progress=Onlooker(3, fail)).run(broken, **changes)
    (aborted,) = rows(result.history, Kind.RUN_ABORTED)
    by = result.history.text(aborted["text"])
    assert by.startswith("the error budget: checkout: 503, allowed is 200 to 299, for 0.")
    checked(result, by)
    readings = rows(result.history, Kind.PROBE_ANSWERED)
    assert readings[0]["value"] == 200_000_000
    assert result.history.text(readings[-1]["group"]) == "503, allowed is 200 to 299"
    assert leftovers(str(project)) == []


@pytest.mark.parametrize(("status", "message"), [(None, r"it does not answer \("), (500, "500, allowed is 200 to 299")])
def test_probe_that_is_not_well_before_the_run_is_refused_before_anything_is_started(project, broken, shop, status, message):
    shop.status = status
    port = free_port() if status is None else shop.server_port
    with pytest.raises(InvalidRequest, match=rf"abort.probe: checkout: \S*/health is out of its range before the run: {message}"):
        Harness(project).run(broken, abort={"probe": [probe(port)]})
    assert list((project / "reports").iterdir()) == []
