"""The one kit, on every pair of queue library and broker: each is observed once, and every check is a test of its own.

A module of `subjects/` has `SUBJECTS`, and may have `OLDEST` and `NEWEST`: `(python, requirements)` of an environment of its own, or such by
kind of broker. Each subject is observed in the newest one (the harness's own environment, where the module names none) and in the
oldest one.
"""

import importlib
import importlib.util
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from jobharness.catalog import broker_kind, queue_kind
from jobharness.conformance import CHECKS, observe
from tests.support.environments import environment, wanted
from tests.support.require import missing

PROJECT = Path(__file__).parents[2]
MODULES = [
    importlib.import_module(f"tests.conformance.subjects.{path.stem}")
    for path in sorted((Path(__file__).parent / "subjects").glob("*.py"))
]


SUBJECTS = [(module, subject) for module in MODULES for subject in module.SUBJECTS]
NEWEST = {subject.name: (subject, wanted(module, "NEWEST", subject.broker["kind"])) for module, subject in SUBJECTS}
OLDEST = {
    f"{subject.name}, oldest": (subject, wanted(module, "OLDEST", subject.broker["kind"]))
    for module, subject in SUBJECTS
    if hasattr(module, "OLDEST")
}
CASES = NEWEST | OLDEST

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=CASES)
def evidence(request, tmp_path_factory):
    """What was seen of one subject in one environment; made once for all checks."""
    subject, place = CASES[request.param]
    _need_broker(subject.broker["kind"])
    if place is not None:
        subject = subject.with_queue(python=str(_environment(*place)))
    else:
        _need_library(queue_kind(subject.queue["adapter"]).library)
    return observe(subject, PROJECT, tmp_path_factory.mktemp("conformance"))


@pytest.mark.parametrize("check", CHECKS)
def test_adapter(check, evidence):
    assert CHECKS[check](evidence) == [], evidence.tested


def _environment(python, requirements):
    interpreter = shutil.which(python)
    if interpreter is None:
        missing(f"there is no {python} for {requirements[0]}")
    try:
        return environment(*requirements, python=interpreter)
    except subprocess.CalledProcessError as error:
        missing(f"the environment of {requirements[0]} could not be built: {error.stdout[-500:]!r}")


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
