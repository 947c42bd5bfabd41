"""What became of a job whose worker met a fault: one word, from the History of its trial alone.

A trial's history has one job that the producer sent, or one chain, group or chord (and perhaps a second one, the nudge), and
phases: `struck`, `recovering` (a healthy worker is there, or nobody died), `nudge`, `over`; `nowhere` where the job was proven
to be lost, `passed` where clocks were put forward, which saved its value in ns. Jobs that the job sent itself are judged with
it; the worst counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["GRAVEST_FIRST", "NEVER_CAME", "NOWHERE", "PASSED", "Lease", "Outcome", "Word", "outcome_of"]

NEVER_CAME = "the message to strike at did not come"
"""Why an outcome is unknown whose trial found nothing to strike at."""


NOWHERE = "nowhere"
"""The phase of a trial that begins when it is proven that nobody can bring the job back."""


PASSED = "passed"
"""The phase of a trial that begins when its workers' clocks were put forward."""


class Word(StrEnum):
    """What can become of a job. `once` is well; `unknown`: the trial could not tell."""

    LOST = "lost"
    STUCK = "stuck"
    DEAD_LETTERED = "dead-lettered"
    TWICE = "twice"
    LATE = "late"
    ONCE_PENDING = "once-pending"
    ONCE = "once"
    UNKNOWN = "unknown"


GRAVEST_FIRST = (Word.LOST, Word.STUCK, Word.DEAD_LETTERED, Word.TWICE, Word.LATE, Word.ONCE_PENDING, Word.UNKNOWN, Word.ONCE)


@dataclass(frozen=True)
class Outcome:
    """One trial's outcome. `times`: how often the job was completed; `where`: the place that holds it, or why nobody can tell;
    `back_s`: from the moment of recovery to the first completion after the strike, None where there was none; `nudged`: whether
    it came back only after another job had arrived; `wrong`: the invariants of the app's data that were broken then, each with
    what was found.
    """

    word: Word
    times: int = 0
    where: str = ""
    back_s: float | None = None
    nudged: bool = False
    wrong: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As a table shows it: "3 times" for three completions."""
        return f"{self.times} times" if self.word is Word.TWICE and self.times > 2 else str(self.word)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "word": str(self.word)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Outcome:
        """From JSON."""
        return cls(**{**plain, "word": Word(plain["word"])})


@dataclass(frozen=True)
class Lease:
    """Leases that were shortened for the trial. `lease_s`: to what; `shortened_s`, `real_s`: how long recovery may take so, and
    as the app has it; `settings`: what was laid over the app's own."""

    lease_s: float
    shortened_s: float
    real_s: float
    settings: Mapping[str, Any]

    def real(self, back_s: float) -> float:
        """How long it would have taken: what took a good part of it waited for a lease."""
        return back_s + self.real_s - self.shortened_s if back_s > self.shortened_s / 4 else back_s


@dataclass
class _Life:
    """What a history says of one job."""

    acknowledged: bool = False
    taken: bool = False
    finished_ns: list[int] | None = None
    dead: str = ""
    buried: str = ""
    held: str = ""
    step: int | None = None  # Of a chain, group or chord.
    task: str = ""

    @property
    def times(self) -> int:
        return len(self.finished_ns or ())


def outcome_of(history: History, within_s: float, lease: Lease | None = None) -> Outcome:
    """The outcome of a trial. `within_s`: what was promised for the time until a job is back; later is `late`. With `lease`, the
    time counts that it would have taken without."""
    lives: defaultdict[int, _Life] = defaultdict(_Life)
    phases: dict[str, int] = {}
    sent: list[int] = []
    parents: set[int] = set()  # Processes that run the job now: what they send belongs to it.
    children: set[int] = set()
    wrong: dict[str, str] = {}
    roles = history.processes["role"].to_list()
    cut_short, healed_ns = "", 0
    passed: list[tuple[int, int]] = []  # When, and how many ns it saved.
    for row in history.events.iter_rows(named=True):
        kind, job = Kind(row["kind"]), row["job"]
        text = history.text(row["text"])
        if kind is Kind.RUN_PHASE and text == PASSED:
            passed.append((row["time_ns"], row["value"]))
        elif kind is Kind.RUN_PHASE:
            phases.setdefault(text, row["time_ns"])
        elif kind is Kind.RUN_CUT_SHORT:
            cut_short = text
        elif kind is Kind.FAULT_END:
            healed_ns = row["time_ns"]
        elif kind is Kind.INVARIANT_CHECKED and row["value"] > 0:
            wrong[history.text(row["task"])] = text
        if job is None:
            continue
        life = lives[job]
        if kind is Kind.ENQUEUE_BEGIN and roles[row["process"]] == "producer":
            sent.append(job)
        elif kind is Kind.ENQUEUE_LINKED:
            life.step, life.task = row["value"], history.text(row["task"])
        elif kind is Kind.ENQUEUE_BEGIN and row["process"] in parents:
            children.add(job)
        elif kind is Kind.SCHEDULE_TICK:
            children.discard(job)  # Its worker's doing, not the job's.
        elif kind is Kind.ENQUEUE_ACKNOWLEDGED:
            life.acknowledged = True
        elif kind is Kind.JOB_RECEIVED:
            life.taken = True
        elif kind is Kind.JOB_FINISHED:
            life.finished_ns = [*(life.finished_ns or ()), row["time_ns"]]
            parents -= {row["process"]} if life.step is not None or sent[:1] == [job] else set()
        elif kind is Kind.JOB_RUNNING:
            parents |= {row["process"]} if life.step is not None or sent[:1] == [job] else set()
        elif kind is Kind.JOB_DEAD:
            life.dead = text or "given up"
        elif kind is Kind.JOB_BURIED:
            life.buried = text
        elif kind is Kind.JOB_HELD:
            life.held = text
    if unknown := _unknown(history, cut_short, phases, bool(sent)) or _disturbed(phases, healed_ns, lease):
        return Outcome(Word.UNKNOWN, where=unknown)
    links = [life for life in lives.values() if life.step is not None]
    whole = _due(links) or [lives[sent[0]]]
    family = [*whole, *(lives[job] for job in children if lives[job].acknowledged and lives[job].step is None)]
    outcomes = [_of(life, phases, passed, within_s, lease) for life in family]
    return replace(min(outcomes, key=lambda one: GRAVEST_FIRST.index(one.word)), wrong=wrong)


def _due(links: Sequence[_Life]) -> list[_Life]:
    """Of a chain, group or chord the jobs whose turn has come: those of a step before which all are done."""
    undone = min((life.step for life in links if life.step is not None and not life.times), default=None)
    return [life for life in links if undone is None or (life.step is not None and life.step <= undone)]


def _unknown(history: History, cut_short: str, phases: dict[str, int], sent: bool) -> str:
    """Why nobody can tell; "" where one can."""
    if cut_short:
        return cut_short
    if bool(history.processes["failed"].any()):
        return "events of a process are missing: its recorder failed"
    if not sent:
        return "the job was never sent"
    if "struck" not in phases:
        return NEVER_CAME
    if "over" not in phases:
        return "the trial ended before it was over"
    return ""


def _disturbed(phases: dict[str, int], healed_ns: int, lease: Lease | None) -> str:
    """A worker that was held up for a good part of its lease has met two faults, and one of them is ours."""
    held_s = max(0, healed_ns - phases["struck"]) / 1e9
    if lease is not None and held_s > lease.lease_s / 2:
        return f"the machine was too busy: to strike took {held_s:.1f} s, and the lease is {lease.lease_s:g} s"
    return ""


def _of(life: _Life, phases: dict[str, int], passed: Sequence[tuple[int, int]], within_s: float, lease: Lease | None) -> Outcome:
    begun_ns = phases.get("recovering", phases["struck"])
    after = [moment for moment in life.finished_ns or () if moment >= phases["struck"]]
    back_s = max(0.0, (after[0] - begun_ns + sum(saved for at, saved in passed if at < after[0])) / 1e9) if after else None
    nudged = bool(after) and "nudge" in phases and after[0] >= phases["nudge"]
    if life.times > 1:
        return Outcome(Word.TWICE, life.times, life.held, back_s, nudged)
    if life.times == 1:
        real_s = lease.real(back_s) if lease is not None and back_s is not None else back_s
        late = real_s is not None and real_s > within_s
        word = Word.ONCE_PENDING if life.held else Word.LATE if late else Word.ONCE
        where = f"about {real_s:.0f} s without shortened leases" if late and real_s != back_s else life.held
        return Outcome(word, 1, where, back_s, nudged)
    if life.buried:
        return Outcome(Word.DEAD_LETTERED, 0, life.buried)
    if life.held:
        return Outcome(Word.STUCK, 0, life.held)
    if life.dead:
        return Outcome(Word.DEAD_LETTERED, 0, f"reported as failed ({life.dead}), kept nowhere")
    if life.step and not life.acknowledged:
        return Outcome(Word.LOST, where="" if life.taken else f"nobody got {life.task} enqueued, though all before it is done")
    if not life.acknowledged:
        return Outcome(Word.UNKNOWN, where="its enqueue was not acknowledged, so it may never have been there")
    return Outcome(Word.LOST, where="nothing that the broker stores names it" if NOWHERE in phases else "")
