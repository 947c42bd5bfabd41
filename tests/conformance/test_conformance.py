"""The one kit, on every pair of queue library and broker: each is observed once, and every check is a test of its own."""

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from jobharness.catalog import broker_kind, queue_kind
from jobharness.conformance import CHECKS, observe
from tests.support.require import missing

PROJECT = Path(__file__).parents[2]
MODULES = [
    importlib.import_module(f"tests.conformance.subjects.{path.stem}")
    for path in sorted((Path(__file__).parent / "subjects").glob("*.py"))
    if path.stem != "__init__"
]
SUBJECTS = {subject.name: subject for module in MODULES for subject in module.SUBJECTS}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=SUBJECTS)
def evidence(request, tmp_path_factory):
    """What was seen of one subject; made once for all checks."""
    subject = SUBJECTS[request.param]
    _need(subject)
    return observe(subject, PROJECT, tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == []


def _need(subject):
    library = queue_kind(subject.queue["adapter"]).library
    if "python" not in subject.queue:
        try:
            version(library)
        except PackageNotFoundError:
            missing(f"{library} is not installed")
    broker = broker_kind(subject.broker["kind"])
    if importlib.util.find_spec(broker.package) is None:
        missing(f"{broker.package} is not installed")
    if not any(provider.found for provider in broker.providers()):
        missing(f"there is no {broker.kind} server here")
