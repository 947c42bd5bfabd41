"""Figures and verdicts in the words of people."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from jobharness.contracts.contract import Verdict, Word
from jobharness.metrics.gate import Crossing

__all__ = ["MARKS", "count", "duration", "figure", "headline", "sentence", "short_task"]

MARKS = {"broken": "✕", "unknown": "?", "vacuous": "○", "holds": "✓", "crossed": "✕", "passed": "✓"}
"""A shape for each word, so that no verdict rests on its colour."""


def count(number: int, noun: str) -> str:
    """`1 job`, `2,048 jobs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration(seconds: float | None) -> str:
    """A span as a person would say it: `850 µs`, `55 ms`, `1.24 s`, `2 min 3 s`; `–` for None."""
    if seconds is None:
        return "–"
    if abs(seconds) < 0.001:
        return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.3g} ms"
    if abs(seconds) < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def figure(value: float | None, unit: str) -> str:
    """A metric's value with its unit; `–` where nothing was observed."""
    if value is None:
        return "–"
    if value == inf:
        return "never"
    if unit == "s":
        return duration(value)
    shown = f"{value:,.0f}" if value == round(value) else f"{value:.3g}"
    return f"{shown}/s" if unit == "1/s" else shown


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def short_task(task: str) -> str:
    """The last word of a dotted task name."""
    return task.rpartition(".")[2] or task


def headline(verdict: Verdict, crossings: Sequence[Crossing]) -> str:
    """The verdict of a run in one sentence, or two."""
    worst = [finding for finding in verdict.findings if finding.word is verdict.word]
    reasons = sentence("; ".join(dict.fromkeys(finding.sentence.splitlines()[0] for finding in worst[:2])))
    total = len(verdict.findings)
    if not total:
        return "Nothing was promised, so nothing can be said."
    if verdict.word is Word.BROKEN:
        return f"{_of(len(worst), total)} broken. {reasons}"
    if verdict.word is Word.UNKNOWN:
        return f"No verdict: the run could not see enough. {reasons}"
    if verdict.word is Word.VACUOUS:
        return f"Nothing was proved: the faults hit no job at work. {reasons}"
    return _of_gate(total, crossings) or f"{_held(total)}. {_proof(verdict)}".strip()


def _of(some: int, total: int) -> str:
    if total == 1:
        return "The promise is"
    return f"{some} of {total} promises {'is' if some == 1 else 'are'}"


def _held(total: int) -> str:
    return "The promise holds" if total == 1 else f"All {total} promises hold"


def _proof(verdict: Verdict) -> str:
    """What makes a pass worth something: what the faults hit, and what became of the jobs all the same."""
    telling = [
        finding
        for finding in verdict.findings
        if finding.contract in ("faults_hit", *DELIVERIES) and finding.counts.get("faults") != 0
    ]
    return " ".join(sentence(finding.sentence) for finding in telling)


DELIVERIES = ("at_least_once", "at_most_once", "exactly_once")


def _of_gate(total: int, crossings: Sequence[Crossing]) -> str:
    crossed = [crossing.sentence for crossing in crossings if crossing.word == "crossed"]
    unknown = [crossing.sentence for crossing in crossings if crossing.word == "unknown"]
    if crossed:
        return f"{_held(total)}, but the gate is crossed. {sentence('; '.join(crossed))}"
    if unknown:
        return f"{_held(total)}, but the gate cannot be judged. {sentence('; '.join(unknown))}"
    return ""
