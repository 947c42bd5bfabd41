"""The subjects of the conformance kit that come with jobharness, each in its newest and its oldest environment.

A module of `tests/conformance/subjects` has `SUBJECTS`, and may have `OLDEST` and `NEWEST`: `(python, requirements)` of an
environment of its own, or such a pair by kind of broker. Where it names no newest one, that is the harness's own. `LINGER` is a job
that runs for a second, where the library has no time limit that could end a longer one.
"""

import importlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from jobharness.conformance import Job, Subject
from tests.support.environments import environment, wanted

__all__ = ["NEWEST", "OLDEST", "Case"]

FOLDER = Path(__file__).parents[1] / "conformance" / "subjects"


@dataclass(frozen=True)
class Case:
    """A subject, the environment that it is to run in (None: the harness's own), and a job that takes it about a second."""

    subject: Subject
    wanted: tuple[str, tuple[str, ...]] | None
    linger: Job

    @property
    def pair(self) -> tuple[str, str]:
        """Its queue and its broker, as a scenario names them."""
        return str(self.subject.queue["adapter"]), str(self.subject.broker["kind"])

    def subject_there(self) -> Subject:
        """The subject in its environment, which is built when there is none yet.

        Raises: FileNotFoundError without such a Python; EnvironmentNotBuilt with pip's last lines.
        """
        if self.wanted is None:
            return self.subject
        python, requirements = self.wanted
        interpreter = shutil.which(python)
        if interpreter is None:
            raise FileNotFoundError(f"there is no {python} for {requirements[0]}")
        return self.subject.with_queue(python=str(environment(*requirements, python=interpreter)))


MODULES = [importlib.import_module(f"tests.conformance.subjects.{path.stem}") for path in sorted(FOLDER.glob("*.py"))]


def _cases(age):
    for module in MODULES:
        for subject in module.SUBJECTS:
            environment_of_it = wanted(module, age, subject.broker["kind"])
            yield Case(subject, environment_of_it, getattr(module, "LINGER", None) or subject.jobs["time_out"])


NEWEST = {case.subject.name: case for case in _cases("NEWEST")}
OLDEST = {f"{case.subject.name}, oldest": case for case in _cases("OLDEST") if case.wanted is not None}
