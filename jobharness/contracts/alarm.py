"""Alarms: each one rings soon after its fault, and none rings where nothing goes wrong.

An alarm rings when Alertmanager tells whoever is on call, not when Prometheus decides: the moment that counts is the
notification's. What rings before the first strike is a false alarm, whatever rings after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.contract import OFFENDERS, Finding, Word
from jobharness.contracts.promise import Evidence, Promise, could_not_see, offences
from jobharness.history.columns import Rows
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["AlarmRings", "AlarmsQuiet"]

NEEDS = frozenset((Kind.ALERT_WATCHED,))
NOT_WATCHED = "Prometheus or Alertmanager did not answer to the end"


@dataclass(frozen=True)
class AlarmRings:
    """The alert called `alert` rings at most `within_s` after the first strike of the fault `fault` ("": of any), and not
    before it. Needs: Prometheus and Alertmanager alive to the end."""

    alert: str
    within_s: float
    fault: str = ""
    needs = NEEDS

    @property
    def name(self) -> str:
        """Each alert is a contract of its own."""
        return f"alarm {self.alert}"

    @property
    def promise(self) -> str:
        """The promise, with its bound."""
        return f"the alarm {self.alert} rings within {self.within_s:g} s of {self.fault or 'the first fault'}, and not before it"

    def check(self, history: History) -> Finding:
        """Judge a history."""
        struck_ns = _first_strike(history, self.fault)
        if struck_ns is None:
            return Finding(self.name, Word.UNKNOWN, f"{self.fault} never struck" if self.fault else "no fault struck")
        rings = _about(history, Kind.ALERT_FIRING, self.alert)
        counts = {"rings": len(rings)}
        if len(rings):
            return self._rang(int(rings[0]), int(history.columns["time_ns"][rings[0]]) - struck_ns, counts)
        if reason := _was_not_watched(history):
            return Finding(self.name, Word.UNKNOWN, reason, counts)
        watched_s = (int(history.columns["time_ns"][history.columns.rows(Kind.ALERT_WATCHED)[-1]]) - struck_ns) / NS_PER_S
        if watched_s < self.within_s:
            return Finding(self.name, Word.UNKNOWN, f"it was watched for {watched_s:.1f} s after the strike only", counts)
        return Finding(self.name, Word.BROKEN, f"it stayed silent for {watched_s:.1f} s after the strike", counts)

    def _rang(self, row: int, after_ns: int, counts: dict[str, int]) -> Finding:
        """What the first ring, so long after the strike, says."""
        if after_ns < 0:
            return self._broken("it rang before anything had gone wrong", "a false alarm", row, counts)
        after_s, counts = after_ns / NS_PER_S, counts | {"after_ms": after_ns // 1_000_000}
        if after_s > self.within_s:
            said = f"it rang {after_s:.1f} s after the strike, where {self.within_s:g} s are allowed"
            return self._broken(said, "too late", row, counts)
        return Finding(self.name, Word.HOLDS, f"it rang {after_s:.1f} s after the strike", counts)

    def _broken(self, sentence: str, why: str, row: int, counts: Mapping[str, int]) -> Finding:
        offender = pl.DataFrame({"job": [None], "row": [row], "why": [why]}, schema=OFFENDERS)
        return Finding(self.name, Word.BROKEN, sentence, counts, offender)


class AlarmsQuiet(Promise):
    """Where nothing goes wrong no alarm rings at all. Needs: Prometheus and Alertmanager alive to the end."""

    name = "alarms_quiet"
    promise = "no alarm rings where nothing goes wrong"
    needs = NEEDS
    nothing = NOT_WATCHED

    def evidence(self, history: History) -> Evidence:
        """Nothing: it is about no job."""
        return Evidence(0)

    def of_run(self, history: History) -> Evidence:
        """Every alarm that rang, in the order of time."""
        rows = history.columns.rows(Kind.ALERT_FIRING)
        watched = history.columns.rows(Kind.ALERT_WATCHED)
        names = history.texts.gather(history.columns["text"][rows])
        found = offences(pl.format("{} rang", "alert"), job=None, row=rows, weight=np.zeros(len(rows)), alert=names)
        rules = int(history.columns["value"][watched[-1:]].sum())
        return Evidence(len(watched), found, counts={"rings": len(rows), "rules": rules})

    def undecided(self, figures: Mapping[str, int]) -> str:
        """Without a rule nothing could ring."""
        return "" if figures["rules"] else "no rule was watched to the end"

    def conclude(self, evidence: Evidence, history: History) -> Finding:
        """The finding; which alarms rang, only the offences tell."""
        finding = super().conclude(evidence, history)
        if finding.word is not Word.BROKEN:
            return finding
        rang = finding.offenders["why"].unique(maintain_order=True).to_list()
        return replace(finding, sentence=f"{', '.join(rang)}, though nothing went wrong")

    def broken(self, figures: Mapping[str, int]) -> str:
        """Said when it is concluded."""
        return ""

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many could have."""
        return f"none of {figures['rules']} alarms rang"


def _first_strike(history: History, fault: str) -> int | None:
    """When the fault, or any, first struck."""
    rows = _about(history, Kind.FAULT_BEGIN, fault) if fault else history.columns.rows(Kind.FAULT_BEGIN)
    return int(history.columns["time_ns"][rows[0]]) if len(rows) else None


def _about(history: History, kind: Kind, text: str) -> Rows:
    """The rows of that kind and text; a text that no event has is numbered None, which equals no number."""
    rows = history.columns.rows(kind)
    about: Rows = rows[history.columns["text"][rows] == history.number_of(text)]
    return about


def _was_not_watched(history: History) -> str:
    """Why silence proves nothing; "" where it does."""
    return could_not_see(history) or ("" if len(history.columns.rows(Kind.ALERT_WATCHED)) else NOT_WATCHED)
