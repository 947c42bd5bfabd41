"""Brokers for tests: a site of their own, and everything ended afterwards."""

import os
import secrets

import pytest

from jobharness.catalog import broker_kind
from jobharness.processes.guardian import Guardian, marked
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec


@pytest.fixture
def site(tmp_path):
    """Where servers may live; nothing of it survives the test."""
    mark = f"test-{secrets.token_hex(6)}"
    folder = tmp_path / mark
    for name in ("data", "logs", "records"):
        (folder / name).mkdir(parents=True)
    with Guardian(mark):
        yield Site(folder / "data", folder / "logs", folder / "records", mark, dict(os.environ))
    assert marked(mark) == []


@pytest.fixture
def make_broker(site):
    """`make_broker(kind, **spec)`: a broker that is not started yet, stopped after the test."""
    made = []

    def make(kind, **spec):
        broker = broker_kind(kind)(BrokerSpec(kind=kind, **spec))
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.stop()
