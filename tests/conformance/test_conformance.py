"""The one kit, on every pair of queue library and broker: each is observed once in its newest environment and once in its oldest one, and
every check is a test of its own."""

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from jobharness.catalog import QUEUES, broker_kind, queue_kind
from jobharness.conformance import CHECKS, observe
from jobharness.errors import EnvironmentNotBuilt
from tests.support.require import missing
from tests.support.subjects import NEWEST, OLDEST

PROJECT = Path(__file__).parents[2]
CASES = NEWEST | OLDEST

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=CASES)
def evidence(request, tmp_path_factory):
    """What was seen of one subject in one environment; made once for all checks."""
    case = CASES[request.param]
    _need_broker(case.subject.broker["kind"])
    kind = queue_kind(case.subject.queue["adapter"])
    if case.wanted is None and not getattr(kind, "own_code", False):
        _need_library(kind.library)
    return observe(_in_environment(case), PROJECT, tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == [], evidence.tested


def _in_environment(case):
    try:
        return case.subject_there()
    except FileNotFoundError as error:
        missing(str(error))
    except EnvironmentNotBuilt as error:
        missing(str(error))


def _need_library(library):
    try:
        version(library)
    except PackageNotFoundError:
        missing(f"{library} is not installed")


def _need_broker(name):
    broker = broker_kind(name)
    if importlib.util.find_spec(broker.package) is None:
        missing(f"{broker.package} is not installed")
    if not any(provider.found for provider in broker.providers()):
        missing(f"there is no {name} server here")


def test_every_pair_of_the_catalog_is_tried():
    """An adapter that says it runs on a broker has a subject there. A home-grown queue may run on any: it is tried on SQLite."""
    offered = {(name, broker) for name in QUEUES if name != "python" for broker in queue_kind(name).brokers} | {
        ("python", "sqlite")
    }
    tried = {(case.subject.queue["adapter"], case.subject.broker["kind"]) for case in NEWEST.values()}
    assert offered == tried
