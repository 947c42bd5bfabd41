"""Who owned a job in one schedule, and who settled it: two plain answers, from the History of its trial alone.

The trial's history has phases: `taken` (the owner runs the job), `silent` (from here on its lease must run out), `nudge`
(another job is sent, for those that look around only when something arrives), `waited`, `resumed`, `owner ended`, `looked`,
`over`. Where the broker holds the job at `taken` and at `looked`, a `job.held` follows that phase. Every execution is held at
its beginning until the trial lets it go, so that the second owner still runs when the first one settles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.queues.queue import LeaseTerms

__all__ = ["Answer", "Ownership", "Schedule", "gravest", "ownership_of"]


STILL_NS = 200_000_000
"""So long after a worker was silenced, what it had said before has passed."""


class Schedule(StrEnum):
    """What happens to the owner of a job."""

    PAUSE = "pause"
    SLOW = "slow run"
    BLOCKED = "slow run that blocks"
    AHEAD = "other's clock ahead"
    BEHIND = "owner's clock behind"

    @property
    def short(self) -> str:
        """As `lease.forbid` has it."""
        return {"pause": "pause", "slow run": "slow", "slow run that blocks": "blocked"}.get(self.value, "clock")

    @property
    def moves_clocks(self) -> bool:
        """Whether it is about clocks."""
        return self.short == "clock"


class Answer(StrEnum):
    """To one question. `refused`: it was tried, and the broker kept the job; `none`: there was no stale owner; `unknown`: the
    trial could not tell."""

    YES = "yes"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NO = "no"
    NONE = "–"


@dataclass(frozen=True)
class Ownership:
    """What one schedule came to. `two_owners`: whether a job had two live owners; `stale_settled`: whether the first of them
    settled it while the second ran it; `why`: what decided, in words; `after_s`: from when the owner fell silent until the second
    one began; `renewed_s`: the longest time between two renewals that were seen while the owner ran it, None: fewer were;
    `kept`: whether the broker held the job while it ran, True where that was not asked; `evidence`: what was seen when, a line
    each."""

    schedule: Schedule
    two_owners: Answer
    stale_settled: Answer
    why: str
    after_s: float | None = None
    renewed_s: float | None = None
    kept: bool = True
    evidence: tuple[str, ...] = field(default=())

    @property
    def undecided(self) -> bool:
        """Whether an answer is missing."""
        return Answer.UNKNOWN in (self.two_owners, self.stale_settled)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass
class _Execution:
    """One execution of the job, or of the nudge."""

    worker: str
    process: int
    begun_ns: int
    ended_ns: int | None = None
    end: Kind | None = None


class _Seen:
    """What a history says of the job and of its owners."""

    def __init__(self, history: History) -> None:
        self.phases: dict[str, int] = {}
        self.held: dict[str, str] = {}
        self.executions: list[_Execution] = []
        self.others: list[_Execution] = []
        self.settled: list[tuple[int, str]] = []
        self.renewed_ns: list[int] = []
        self.told: list[tuple[int, str]] = []  # Replies that name the job: when, and to which worker.
        self.said: list[tuple[int, str]] = []  # What workers said, of whatever.
        self.cut_short = ""
        self.evidence: list[str] = []
        self._names = history.processes["name"].to_list()
        self._roles = history.processes["role"].to_list()
        self._job: int | None = None
        self._phase = ""
        for row in history.events.iter_rows(named=True):
            self._see(history, row)

    def _see(self, history: History, row: dict[str, Any]) -> None:
        kind, worker, text = Kind(row["kind"]), self._names[row["process"]], history.text(row["text"])
        if kind is Kind.RUN_PHASE:
            self._phase = text
            self.phases.setdefault(text, row["time_ns"])
            self._note(row["time_ns"], _PHASES.get(text, ""))
        elif kind is Kind.RUN_CUT_SHORT:
            self.cut_short = text
        elif kind is Kind.BROKER_MESSAGE:
            if row["value"] > 0:
                self.said.append((row["time_ns"], worker))
            elif self._job is not None and row["job"] == self._job:
                self.told.append((row["time_ns"], worker))
        elif kind is Kind.ENQUEUE_BEGIN and self._job is None and self._roles[row["process"]] == "producer":
            self._job = row["job"]
        elif row["job"] is not None:
            self._see_job(kind, row, worker, text)

    def _see_job(self, kind: Kind, row: dict[str, Any], worker: str, text: str) -> None:
        mine = row["job"] == self._job
        if kind is Kind.JOB_RUNNING:
            (self.executions if mine else self.others).append(_Execution(worker, row["process"], row["time_ns"]))
            again = "begins it" if len(self.executions) < 2 else "begins it, too"
            self._note(row["time_ns"], f"{worker} {again if mine else 'runs another job'}")
        elif mine and kind in _ENDS:
            running = [one for one in self.executions if one.ended_ns is None and one.worker == worker]
            mine_first = [one for one in running if one.process == row["process"]] or running
            if mine_first:
                mine_first[0].ended_ns, mine_first[0].end = row["time_ns"], kind
            self._note(row["time_ns"], f"{worker} {_ENDS[kind]}")
        elif mine and kind is Kind.JOB_SETTLED:
            self.settled.append((row["time_ns"], worker))
            self._note(row["time_ns"], f"{worker} acknowledges it")
        elif mine and kind is Kind.JOB_LEASE_EXTENDED and len(self.executions) == 1:
            self.renewed_ns.append(row["time_ns"])
        elif mine and kind is Kind.JOB_HELD:
            self.held.setdefault(self._phase, text)
            self._note(row["time_ns"], f"the broker holds it: {text}")

    def _note(self, time_ns: int, words: str) -> None:
        if words and "taken" in self.phases:
            self.evidence.append(f"{(time_ns - self.phases['taken']) / 1e9:6.2f} s  {words}")
        elif words:
            self.evidence.append(f"          {words}")

    def seconds(self, begin: str, end: str) -> float:
        """Between two phases."""
        return (self.phases[end] - self.phases[begin]) / 1e9


_PHASES = {
    "silent": "the schedule begins",
    "nudge": "another job is sent",
    "resumed": "the owner goes on",
    "owner ended": "the owner has ended",
    "looked": "the broker is asked",
}
_ENDS = {Kind.JOB_FINISHED: "finishes it", Kind.JOB_FAILED: "fails", Kind.JOB_TIMED_OUT: "is ended at its time limit"}


def ownership_of(history: History, schedule: Schedule, terms: LeaseTerms | None) -> Ownership:
    """The answers of a trial. `terms`: of the lease as it was in it; None: not known, so that nothing can be denied."""
    seen = _Seen(history)
    two_owners, why = _two_owners(seen, schedule, terms)
    overlaps = two_owners is Answer.YES and _overlaps(seen)
    stale, further = _stale(seen) if overlaps else (Answer.NONE, "")
    after_s = None
    if len(seen.executions) > 1 and "silent" in seen.phases:
        after_s = (seen.executions[1].begun_ns - seen.phases["silent"]) / 1e9
    gaps_s = [(later - earlier) / 1e9 for earlier, later in pairwise(seen.renewed_ns)]
    renewed_s = max(gaps_s, default=None)
    words = "; ".join(filter(None, (why, further)))
    asked = "taken" in seen.phases and not seen.cut_short
    kept = not asked or "taken" in seen.held or len(seen.executions) > 1
    return Ownership(
        schedule,
        two_owners,
        stale,
        words,
        after_s,
        renewed_s,
        kept,
        tuple(seen.evidence),
    )


def _two_owners(seen: _Seen, schedule: Schedule, terms: LeaseTerms | None) -> tuple[Answer, str]:
    if seen.cut_short:
        return Answer.UNKNOWN, seen.cut_short
    if not seen.executions or "silent" not in seen.phases or "waited" not in seen.phases:
        return Answer.UNKNOWN, "the job did not begin"
    first, *later = seen.executions
    if _overlaps(seen):
        second = later[0]
        if first.ended_ns is None:
            return _cut_off(seen, first)
        since_s = _since(seen, second.begun_ns)
        if schedule.moves_clocks and terms is not None and since_s >= terms.lasts_s:
            return Answer.UNKNOWN, f"another began only after {since_s:.1f} s, when the lease may have run out by itself"
        who = second.worker if second.worker != first.worker else f"{second.worker} itself"
        return Answer.YES, f"{who} began it after {since_s:.1f} s, while {first.worker} ran it"
    if first.ended_ns is not None and first.ended_ns < seen.phases["waited"]:
        return _after_its_end(first)
    if later and (again_ns := _handed_to_itself(seen)) is not None:
        since_s = _since(seen, again_ns)
        return Answer.YES, (
            f"it was handed out again after {since_s:.1f} s, to {first.worker} itself, which said nothing then and ran it again "
            "when it went on"
        )
    return _denied(seen, schedule, terms)


def _overlaps(seen: _Seen) -> bool:
    """Whether the second execution began before the first one ended."""
    first, *later = seen.executions
    return bool(later) and (first.ended_ns is None or first.ended_ns > later[0].begun_ns)


def _handed_to_itself(seen: _Seen) -> int | None:
    """When the job was handed out again to its silent owner: what it is told while it says nothing, it had asked for before, as
    one does that waits for the next job."""
    owner, begun_ns, over_ns = seen.executions[0].worker, seen.phases["silent"] + STILL_NS, seen.phases["waited"]
    if any(worker == owner and begun_ns < time_ns < over_ns for time_ns, worker in seen.said):
        return None
    return next((time_ns for time_ns, worker in seen.told if worker == owner and begun_ns < time_ns < over_ns), None)


def _cut_off(seen: _Seen, first: _Execution) -> tuple[Answer, str]:
    """Taken again, but the first was not seen to end: one that died of it was no live owner."""
    if "owner ended" in seen.phases:
        return Answer.NO, f"{first.worker} exited when it was to go on, and its run was cut off"
    return Answer.UNKNOWN, f"{first.worker} was not seen to go on"


def _after_its_end(first: _Execution) -> tuple[Answer, str]:
    assert first.end is not None
    return Answer.NO, f"{first.worker} {_ENDS[first.end]} before another began"


def _denied(seen: _Seen, schedule: Schedule, terms: LeaseTerms | None) -> tuple[Answer, str]:
    """Nobody else began it: was that proof? The lease must have had the time to run out, and another worker to look."""
    if "taken" not in seen.held:
        return Answer.NO, "it was acknowledged before it ran: the broker holds nothing that it could hand out again"
    if terms is None:
        return Answer.UNKNOWN, "how long its lease lasts is not known here; lease.lasts says it"
    lookers = [one for one in seen.others if seen.phases["silent"] <= one.begun_ns <= seen.phases["waited"]]
    if schedule is Schedule.PAUSE:
        lookers = [one for one in lookers if one.worker != seen.executions[0].worker]
    if not lookers:
        return Answer.UNKNOWN, _nobody_looked(seen)
    waited_s = seen.seconds("silent", "waited")
    if schedule.moves_clocks:
        if waited_s < terms.found_s:
            return Answer.UNKNOWN, f"it was waited for {waited_s:.1f} s, and to find it may take {terms.found_s:.3g} s"
        return Answer.NO, f"nobody took it in {waited_s:.1f} s"
    if terms.lasts_s == float("inf"):
        return Answer.NO, f"nothing hands it out again ({waited_s:.1f} s were waited)"
    if waited_s < terms.lasts_s + terms.found_s:
        return (
            Answer.UNKNOWN,
            f"{waited_s:.1f} s did not outlast the lease, {terms.lasts_s:.3g} s and {terms.found_s:.3g} s to find it",
        )
    return Answer.NO, f"nobody took it in {waited_s:.1f} s, though a lease lasts {terms.lasts_s:.3g} s"


def _nobody_looked(seen: _Seen) -> str:
    """Why no other worker took a job meanwhile, as far as it is known."""
    owner = seen.executions[0].worker
    goes_on_ns = seen.phases["waited"]
    kept = sum(one.worker == owner and one.begun_ns > goes_on_ns for one in seen.others)
    if kept:
        return f"{owner} took {kept} that came meanwhile, and ran them when it went on, so nobody else may have looked"
    return "no other worker took a job meanwhile, so nobody may have looked"


def _since(seen: _Seen, time_ns: int) -> float:
    return (time_ns - seen.phases["silent"]) / 1e9


def _stale(seen: _Seen) -> tuple[Answer, str]:
    """What the broker said when the first owner had ended, and the second still ran."""
    first, second = seen.executions[:2]
    if "looked" not in seen.phases:
        return Answer.UNKNOWN, f"{first.worker} did not end in time"
    looked_ns = seen.phases["looked"]
    if second.ended_ns is not None and second.ended_ns < looked_ns:
        return Answer.UNKNOWN, f"{second.worker} had ended before the broker could be asked"
    if "looked" not in seen.held:
        return Answer.YES, f"{first.worker} settled it: the broker had forgotten it while {_other(first, second)} still ran it"
    if first.end is Kind.JOB_FINISHED:
        return Answer.REFUSED, f"{first.worker} finished it, and the broker still held it for {_other(first, second)}"
    assert first.end is not None  # One that was cut off was no live owner.
    return Answer.NO, f"{first.worker} {_ENDS[first.end]}, and settled nothing"


def _other(first: _Execution, second: _Execution) -> str:
    return second.worker if second.worker != first.worker else "its second run"


def gravest(trials: Iterable[tuple[Ownership, str]]) -> tuple[Ownership, str]:
    """Of several trials of one schedule, each with its name."""
    order = list(Answer)
    return min(trials, key=lambda one: (order.index(one[0].two_owners), order.index(one[0].stale_settled)))
