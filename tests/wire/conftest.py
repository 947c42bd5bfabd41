"""Real servers with a proxy before them."""

import os
import secrets

import pytest

from jobharness.agent import events
from jobharness.agent.recorder import Recorder
from jobharness.catalog import broker_kind
from jobharness.errors import BrokerFailed
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.processes.guardian import sweep
from jobharness.processes.process import wait_for
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec
from jobharness.wire.plan import WirePlan
from tests.support.require import missing


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folders of a run of its own; all that was started in it is ended."""
    place = tmp_path_factory.mktemp("wire")
    for name in ("data", "logs", "records"):
        (place / name).mkdir()
    made = Site(place / "data", place / "logs", place / "records", f"test-{secrets.token_hex(4)}", dict(os.environ))
    yield made
    sweep(made.mark)


@pytest.fixture(scope="module")
def broker(site):
    """`broker(kind)`: a running server, one a module."""
    running = {}

    def start(kind):
        if kind not in running:
            server = broker_kind(kind)(BrokerSpec(kind=kind))
            try:
                server.start(site)
            except BrokerFailed as error:
                missing(str(error))
            running[kind] = server
        return running[kind]

    yield start
    for server in running.values():
        server.stop()


class Wired:
    """A proxy before a broker, the jobs that it knows, and what it recorded."""

    def __init__(self, wire, records):
        self.wire, self.records = wire, records
        self._producer = Recorder(records, "producer", "producer")

    def enqueued(self, *job_ids):
        """The producer says that it begins to enqueue these jobs."""
        for job_id in job_ids:
            key, text = self._producer.job(job_id)
            self._producer.record(events.ENQUEUE_BEGIN, key, text=text)

    def seen(self, *kinds):
        """`(kind's name, job id or "", text, group)` of what the proxy recorded, in order."""
        history = log.gather(self.records, {})
        wire = [index for index, role in enumerate(history.processes["role"]) if role == "wire"]
        return [
            (Kind(row["kind"]).name_, history.job_id(row["job"]) if row["job"] is not None else "", history.text(row["text"]), history.text(row["group"]))
            for row in history.of(*kinds).collect().iter_rows(named=True)
            if row["process"] in wire
        ]  # fmt: skip

    def sees(self, *kinds):
        """Whether, within 10 s, any such event was recorded."""
        return wait_for(lambda: bool(self.seen(*kinds)), 10)


@pytest.fixture
def wired(broker, site, tmp_path):
    """`wired(kind, gated=True, env=None)`: a proxy before a running server of that kind, with records of its own."""
    wires = []

    def start(kind, gated=True, env=None):
        server = broker(kind)
        (tmp_path / "records").mkdir(exist_ok=True)
        wire = WirePlan.before(server.url, gated).make(server.url)
        wire.start(Site(site.data, site.logs, tmp_path / "records", site.mark, {**site.env, **(env or {})}))
        wires.append(wire)
        return Wired(wire, tmp_path / "records")

    yield start
    for wire in wires:
        wire.stop()
