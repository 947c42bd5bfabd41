"""The one kit, on every pair of queue library and broker, in the newest environment of each: it is observed once, and every check is
a test of its own."""

import pytest

from jobharness.catalog import QUEUES, queue_kind
from jobharness.conformance import CHECKS
from tests.support.kit import evidence_of
from tests.support.subjects import NEWEST

pytestmark = pytest.mark.real

evidence = evidence_of(NEWEST)


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == [], evidence.tested


def test_every_pair_of_the_catalog_is_tried():
    """An adapter that says it runs on a broker has a subject there. A home-grown queue may run on any: it is tried on SQLite."""
    offered = {(name, broker) for name in QUEUES if name != "python" for broker in queue_kind(name).brokers} | {
        ("python", "sqlite")
    }
    tried = {(case.subject.queue["adapter"], case.subject.broker["kind"]) for case in NEWEST.values()}
    assert offered == tried
