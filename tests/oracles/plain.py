"""A History as plain Python, and the one rule that turns an oracle's answer into a word."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobharness.contracts.contract import Word
from jobharness.history.event import Dead, Kind
from jobharness.history.frame import History

__all__ = ["Answer", "Event", "Execution", "Plain", "plain", "word_of"]

ENDS = (Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT)


@dataclass(frozen=True)
class Event:
    """One row. `job` is its number, or None; `worker` is the name of the process."""

    row: int
    time: int
    kind: Kind
    job: int | None
    process: int
    worker: str
    pid: int
    task: str
    text: str
    group: str
    value: int


@dataclass(frozen=True)
class Execution:
    """One `job.running` and what became of it; `end` None where it was cut off."""

    begin: Event
    end: Event | None
    alive: int


@dataclass(frozen=True)
class Answer:
    """What an oracle says. `offences`: (job or None, row or None), one for each."""

    offences: list[tuple[int | None, int | None]]
    judged: int
    unseen: int = 0
    undecided: bool = False
    vacuous: bool = False
    torn_excuses: bool = True
    cut_excuses: bool = True


@dataclass(frozen=True)
class Plain:
    """Events in order, the number of jobs, and what is known of the run."""

    events: list[Event]
    n_jobs: int
    failed: bool
    torn: int
    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, kind: Kind, job: int | None = None) -> list[Event]:
        """The events of a kind that are about jobs (or about this one)."""
        return [e for e in self.events if e.kind == kind and e.job is not None and (job is None or e.job == job)]

    def any_of(self, kind: Kind) -> list[Event]:
        """The events of a kind, also those about no job."""
        return [e for e in self.events if e.kind == kind]

    def jobs(self) -> range:
        return range(self.n_jobs)

    def acknowledged(self, job: int) -> bool:
        return bool(self.of(Kind.ENQUEUE_ACKNOWLEDGED, job))

    def first(self, kind: Kind, job: int) -> int | None:
        return next((e.time for e in self.of(kind, job)), None)

    def completed(self, job: int) -> int | None:
        """When the job was first completed."""
        moments = [e.time for e in self.of(Kind.JOB_FINISHED, job)]
        if self.of(Kind.JOB_RUNNING, job):
            moments += [e.time for e in self.of(Kind.JOB_DEAD, job) if e.value in (Dead.RAISED, Dead.TIMED_OUT)]
        return min(moments, default=None)

    def intended(self, job: int) -> int | None:
        """The earliest intended arrival that the first event of each kind of enqueue names."""
        firsts = [self.of(kind, job)[:1] for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED)]
        return min((e.value for found in firsts for e in found), default=None)

    def due(self, job: int) -> int:
        """When the job could run at the earliest."""
        own = self.of(Kind.ENQUEUE_NOT_BEFORE, job)
        intended = self.intended(job)
        assert intended is not None
        return max(intended, own[0].value) if own else max(intended, 0)

    def label(self, job: int, name: str) -> str:
        """The job's task or group."""
        for kind in (Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED, Kind.JOB_RECEIVED, Kind.JOB_RUNNING):
            for event in self.of(kind, job):
                if getattr(event, name):
                    return str(getattr(event, name))
        return ""

    def executions(self) -> list[Execution]:
        """Every execution in order; see history/executions.py for what ends one."""
        return [self._execution(begin) for begin in self.of(Kind.JOB_RUNNING)]

    def _execution(self, begin: Event) -> Execution:
        later = [e for e in self.events if e.row > begin.row and e.job == begin.job]
        own = [e for e in later if e.process == begin.process and e.kind in (Kind.JOB_RUNNING, *ENDS)]
        if own and own[0].kind in ENDS:
            return Execution(begin, own[0], own[0].time)
        spoken = [e for e in later if e.worker == begin.worker and e.kind in (Kind.JOB_RUNNING, Kind.JOB_TIMED_OUT)]
        if spoken and spoken[0].kind == Kind.JOB_TIMED_OUT:
            return Execution(begin, spoken[0], spoken[0].time)
        hits = [e for e in self.of(Kind.FAULT_HIT, begin.job) if e.value == begin.pid and e.time >= begin.time]
        return Execution(begin, None, hits[0].time if hits else begin.time)


def plain(history: History) -> Plain:
    """The History as plain Python."""
    processes = history.processes.to_dicts()
    events = [
        Event(
            row=row,
            time=event["time_ns"],
            kind=Kind(event["kind"]),
            job=event["job"],
            process=event["process"],
            worker=processes[event["process"]]["name"],
            pid=processes[event["process"]]["pid"],
            task=history.text(event["task"]),
            text=history.text(event["text"]),
            group=history.text(event["group"]),
            value=event["value"],
        )
        for row, event in enumerate(history.events.to_dicts())
    ]
    failed = any(process["failed"] for process in processes)
    return Plain(events, history.jobs.height, failed, int(history.header.get("torn", 0)))


def word_of(answer: Answer, run: Plain) -> Word:
    """Offences that were seen count; mere absences may be the recording's fault; nothing judged is not a pass."""
    cut = bool(run.any_of(Kind.RUN_CUT_SHORT))
    if answer.offences:
        if answer.unseen == len(answer.offences):
            torn = answer.torn_excuses and answer.unseen <= run.torn
            if run.failed or (cut and answer.cut_excuses) or torn:
                return Word.UNKNOWN
        return Word.BROKEN
    if cut or run.failed:
        return Word.UNKNOWN
    if answer.vacuous:
        return Word.VACUOUS
    return Word.UNKNOWN if answer.undecided or not answer.judged else Word.HOLDS
