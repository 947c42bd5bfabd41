"""The conformance kit on subjects, each in the environment that its case names."""

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from jobharness.catalog import broker_kind, queue_kind
from jobharness.conformance import observe
from jobharness.errors import EnvironmentNotBuilt
from tests.support.require import missing

__all__ = ["evidence_of"]

PROJECT = Path(__file__).parents[2]


def evidence_of(cases):
    """The fixture `evidence`: what was seen of each case in turn, made once for all checks."""

    @pytest.fixture(scope="module", params=cases)
    def evidence(request, tmp_path_factory):
        return _observed(cases[request.param], tmp_path_factory.mktemp("conformance"))

    return evidence


def _observed(case, reports):
    """Skips the test, or fails it where everything is required, without the server or library of the case."""
    _need_broker(case.subject.broker["kind"])
    kind = queue_kind(case.subject.queue["adapter"])
    if case.wanted is None and not getattr(kind, "own_code", False):
        _need_library(kind.library)
    return observe(_in_environment(case), PROJECT, reports)


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
