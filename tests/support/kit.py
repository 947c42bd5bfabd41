"""The conformance kit on one subject, in the environment that its case names."""

import importlib.util
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobharness.catalog import broker_kind, queue_kind
from jobharness.conformance import observe
from jobharness.errors import EnvironmentNotBuilt
from tests.support.require import missing

__all__ = ["observed"]

PROJECT = Path(__file__).parents[2]


def observed(case, reports):
    """What was seen of the case; skips the test, or fails it where everything is required, without its server or library."""
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
