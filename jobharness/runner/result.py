"""What a run came to, and what a test may expect of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.attempts_bounded import AttemptsBounded
from jobharness.contracts.contract import Contract, Finding, Verdict, Word, judge
from jobharness.contracts.exactly_once import ExactlyOnce
from jobharness.contracts.recovery import Recovery
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.metrics.gate import Crossing
from jobharness.metrics.metric import Metric
from jobharness.scenario.model import Scenario

__all__ = ["EXIT_BROKEN", "EXIT_CROSSED", "EXIT_INVALID", "EXIT_NO_VERDICT", "EXIT_PASSED", "Expectations", "Result", "story"]

EXIT_PASSED, EXIT_BROKEN, EXIT_INVALID, EXIT_NO_VERDICT, EXIT_CROSSED = range(5)
STORIES = 3


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run: `verdict`, `history`, `metrics`, the gate's `crossings`, and where everything is kept (`folder`).

    `about`: what run.json says (seed, versions, command, machine). `repeat`: the command that runs it again. `notes`: what else
    is to be said of it, such as what a webhook answered.
    """

    scenario: Scenario
    source: Path | None
    folder: Path
    history: History
    verdict: Verdict
    metrics: Mapping[str, Metric]
    crossings: Sequence[Crossing]
    about: Mapping[str, Any]
    repeat: str
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """0 passed, 1 a contract is broken, 3 no verdict (unknown or vacuous), 4 a gate was crossed."""
        if self.verdict.word is Word.BROKEN:
            return EXIT_BROKEN
        if self.verdict.word is not Word.HOLDS:
            return EXIT_NO_VERDICT
        words = {crossing.word for crossing in self.crossings}
        return EXIT_CROSSED if "crossed" in words else EXIT_NO_VERDICT if "unknown" in words else EXIT_PASSED

    @property
    def aborted(self) -> bool:
        """Whether it was ended from outside, or by its own error budget."""
        return len(self.history.columns.rows(Kind.RUN_ABORTED)) > 0

    @cached_property
    def expect(self) -> Expectations:
        """Expectations for a test written by hand: `result.expect.at_least_once()`."""
        return Expectations(self)


class Expectations:
    """Each method raises AssertionError, with the life story of the worst offenders and the command to repeat,
    unless the promise holds."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def at_least_once(self) -> None:
        """Every acknowledged job was completed."""
        __tracebackhide__ = True
        self._hold(AtLeastOnce())

    def at_most_once(self) -> None:
        """No job was run again, unless it asked for it."""
        __tracebackhide__ = True
        self._hold(AtMostOnce())

    def exactly_once(self) -> None:
        """Both."""
        __tracebackhide__ = True
        self._hold(ExactlyOnce())

    def attempts_bounded(self, max_attempts: int) -> None:
        """No job was executed more than `max_attempts` times."""
        __tracebackhide__ = True
        self._hold(AttemptsBounded(max_attempts))

    def recovery(self, within_s: float) -> None:
        """Each job that a fault hit was completed within `within_s` seconds."""
        __tracebackhide__ = True
        self._hold(Recovery(within_s))

    def verdict(self, word: str = "holds") -> None:
        """The whole verdict is `word`."""
        __tracebackhide__ = True
        seen = self._result.verdict
        if str(seen.word) != word:
            raise AssertionError(f"the verdict is {seen.word}, not {word}\n" + "\n".join(self._explain(f) for f in seen.findings))

    def _hold(self, contract: Contract) -> None:
        __tracebackhide__ = True  # pytest then shows the test's own line.
        (finding,) = judge(self._result.history, [contract]).findings
        if finding.word is not Word.HOLDS:
            raise AssertionError(self._explain(finding) + f"\n\nrepeat: {self._result.repeat}\nreport: {self._result.folder}")

    def _explain(self, finding: Finding) -> str:
        lines = [f"{finding.contract}: {finding.word}: {finding.sentence}"]
        for job in finding.jobs[:STORIES]:
            lines += ["", *story(self._result.history, job)]
        return "\n".join(lines)


def story(history: History, job: int) -> list[str]:
    """The life story of a job, a line an event, for people."""
    return [f"{history.task_of(job)} {history.job_id(job)}", *(f"  {moment}" for moment in history.life(job))]
