"""The checks: each a pure function from the evidence to its complaints, one sentence each; none is good.

A check looks at nothing that the adapter declares it cannot see, and one of them judges the declaration itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import polars as pl

from jobharness.agent.record import key_of
from jobharness.clock import NS_PER_S
from jobharness.conformance.evidence import Evidence, Snapshot
from jobharness.conformance.subject import DELAY_S, EXPECTED, NEEDED, OUTCOMES
from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.attempts_bounded import AttemptsBounded
from jobharness.contracts.contract import Contract, Word, judge
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.observed import Observed
from jobharness.history.event import HARNESS_KINDS, Dead, Kind
from jobharness.history.frame import History

__all__ = ["CHECKS", "Check"]

Check = Callable[[Evidence], list[str]]

EXAMPLES = 3  # Complaints of one sort that are written out; the rest are counted.
CLOCK_SLACK_NS = 20_000_000  # Two clocks meet in a delay: the library's wall clock and the history's monotonic one.
RARE = frozenset((Kind.JOB_REJECTED, Kind.ENQUEUE_PRIORITY, Kind.SCHEDULE_TICK, Kind.JOB_BURIED, Kind.JOB_LEASE_EXTENDED))
"""Kinds that a sound adapter may declare and the kit never provokes."""

OF_A_LIFE = (
    Kind.JOB_RECEIVED, Kind.JOB_RUNNING, Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_REJECTED,
    Kind.JOB_TIMED_OUT,
)  # fmt: skip
"""Kinds that an adapter reports, or says why it cannot."""

UNJUDGED = HARNESS_KINDS | RARE - {Kind.JOB_REJECTED}


def every_event_once(evidence: Evidence) -> list[str]:
    """Each job's life has every event that its outcome consists of exactly once, and no other."""
    kinds = _kinds(evidence.history)
    return _limited(complaint for job, outcome in _jobs(evidence) for complaint in _life(evidence, job, outcome, kinds[job]))


def _life(evidence: Evidence, job: int, outcome: str, seen: Counter[Kind]) -> Iterator[str]:
    expected = EXPECTED[outcome] + Counter({Kind.ENQUEUE_BEGIN: 1, Kind.ENQUEUE_ACKNOWLEDGED: 1})
    attempts = expected[Kind.JOB_RUNNING]
    # A job that waits for its moment may be taken twice, and a retry may be a message of its own or the same one put back.
    takes = attempts + (outcome == "delayed")
    bounds = {kind: (count, count) for kind, count in expected.items()}
    bounds |= {Kind.JOB_RECEIVED: (attempts, takes), Kind.JOB_SETTLED: (1, takes), Kind.JOB_REJECTED: (0, attempts - 1)}
    who = f"the job {evidence.history.job_id(job)} ({outcome})"
    for kind in Kind:
        least, most = bounds.get(kind, (0, 0))
        judged = kind in evidence.reports and kind not in UNJUDGED
        if judged and not least <= seen[kind] <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            yield f"{who} has {kind.name_} {seen[kind]} times, not {wanted}"


def attempts_are_numbered(evidence: Evidence) -> list[str]:
    """The executions of a job say 1, 2, … as their attempt; where the library declares that it cannot tell, some may say 0."""
    runs = evidence.history.of(Kind.JOB_RUNNING).collect()
    by_job = runs.filter(pl.col("job").is_not_null()).group_by("job").agg(pl.col("attempt"))
    return _limited(
        f"the job {evidence.history.job_id(job)} numbers its {len(attempts)} executions {attempts}"
        for job, attempts in by_job.sort("job").iter_rows()
        if any(said != true and (said or "attempt" not in evidence.app.missing) for true, said in enumerate(attempts, start=1))
    )


def retries_come_when_announced(evidence: Evidence) -> list[str]:
    """An execution after a retry begins no sooner than the delay which the retry announced, but where a version's known fault is
    declared."""
    if Kind.JOB_RETRIED not in evidence.reports or "retry.delay" in evidence.app.missing:
        return []
    complaints = []
    for job, outcome in _jobs(evidence):
        if Kind.JOB_RETRIED not in EXPECTED[outcome]:
            continue
        due_ns = None
        for kind, time_ns, value in _timed(evidence.history, job):
            if kind is Kind.JOB_RETRIED:
                due_ns = time_ns + value
            elif kind is Kind.JOB_RUNNING and due_ns is not None and time_ns < due_ns - CLOCK_SLACK_NS:
                early_s = (due_ns - time_ns) / NS_PER_S
                complaints.append(f"the job {evidence.history.job_id(job)} ran {early_s:.3f} s before its retry was due")
    return _limited(iter(complaints))


def delays_are_kept(evidence: Evidence) -> list[str]:
    """A delayed job runs no sooner than its delay after it was sent, and its earliest moment is recorded as such."""
    complaints = []
    for job, outcome in _jobs(evidence):
        if outcome != "delayed":
            continue
        moments = {kind: (time_ns, value) for kind, time_ns, value in reversed(_timed(evidence.history, job))}
        begin_ns = moments.get(Kind.ENQUEUE_BEGIN, (0, 0))[0]
        running_ns = moments.get(Kind.JOB_RUNNING, (0, 0))[0]
        who = f"the delayed job {evidence.history.job_id(job)}"
        if running_ns and running_ns < begin_ns + DELAY_S * NS_PER_S - CLOCK_SLACK_NS:
            complaints.append(
                f"{who} ran {(running_ns - begin_ns) / NS_PER_S:.3f} s after it was sent, not {DELAY_S:g} s or later"
            )
        if Kind.ENQUEUE_NOT_BEFORE in moments and Kind.ENQUEUE_NOT_BEFORE in evidence.reports:
            off_s = (moments[Kind.ENQUEUE_NOT_BEFORE][1] - begin_ns) / NS_PER_S
            if not DELAY_S / 2 <= off_s <= 2 * DELAY_S:  # Some libraries count in whole seconds.
                complaints.append(f"{who} has enqueue.not_before {off_s:.3f} s after it was sent; its delay was {DELAY_S:g} s")
    return _limited(iter(complaints))


def deaths_say_why(evidence: Evidence) -> list[str]:
    """A job that failed for good says that it raised, one that ran too long that it timed out."""
    deaths = evidence.history.of(Kind.JOB_DEAD).filter(pl.col("job").is_not_null()).collect()
    outcomes = dict(_jobs(evidence))
    complaints = []
    for row in deaths.iter_rows(named=True):
        wanted = Dead.TIMED_OUT if outcomes.get(row["job"]) == "time_out" else Dead.RAISED
        if row["value"] != wanted:
            who = f"the job {evidence.history.job_id(row['job'])} ({outcomes.get(row['job'])})"
            complaints.append(f"{who} died as {Dead(row['value']).name.lower()}, not as {wanted.name.lower()}")
    return _limited(iter(complaints))


def history_is_complete(evidence: Evidence) -> list[str]:
    """Every job that was sent is in the history under its task, and no other is."""
    found = Counter(outcome for _, outcome in _jobs(evidence))
    complaints = [
        f"{found[outcome]} jobs of {outcome!r} are in the history; {count} were sent"
        for outcome, count in evidence.sent.items()
        if found[outcome] != count
    ]
    strangers = len(evidence.history.jobs) - sum(found.values())
    if strangers:
        complaints.append(f"{strangers} jobs of the history belong to no task of the app")
    return complaints


def ids_map_both_ways(evidence: Evidence) -> list[str]:
    """What the broker calls a job leads to its events, and the history gives back the library's own id."""
    history = evidence.history
    rows = {(hi, lo): number for number, (hi, lo, _) in enumerate(history.jobs.iter_rows())}
    complaints = []
    for snapshot in evidence.snapshots:
        for held in (*snapshot.held, *(snapshot.dead_listed or ())):
            key = key_of(held.job_id)
            row = rows.get((int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")))
            if row is None:
                complaints.append(f"{snapshot.when}, the broker held {held.job_id!r} ({held.where}); the history has no such job")
            elif history.job_id(row) != held.job_id:
                complaints.append(f"the broker's job {held.job_id!r} is {history.job_id(row)!r} in the history")
    return _limited(iter(complaints))


def counts_agree(evidence: Evidence) -> list[str]:
    """What the adapter counts and lists is what there is: while jobs wait and no worker runs, and when all is done."""
    return [f"{snapshot.when}: {complaint}" for snapshot in evidence.snapshots for complaint in _snapshot(snapshot)]


def _snapshot(snapshot: Snapshot) -> Iterator[str]:
    counts, real = snapshot.counts, snapshot.waiting + snapshot.delayed
    if counts.unsettled is not None and counts.unsettled != real:
        yield f"{counts} make {counts.unsettled} jobs that may still run; there were {real}"
    # Some libraries tell a delayed job from a waiting one only when a worker has looked at it: then `delayed` is None or 0.
    if counts.delayed and counts.delayed != snapshot.delayed:
        yield f"{counts.delayed} jobs were counted as delayed; there were {snapshot.delayed}"
    if len({held.job_id for held in snapshot.held}) != real or len(snapshot.held) != real:
        yield f"{len(snapshot.held)} jobs were listed as held; there were {real}"
    if counts.dead is not None and counts.dead != snapshot.dead:
        yield f"{counts.dead} jobs were counted as dead; there were {snapshot.dead}"
    if snapshot.dead_listed is not None and len(snapshot.dead_listed) != snapshot.dead:
        yield f"{len(snapshot.dead_listed)} jobs were listed as dead; there were {snapshot.dead}"


def promises_hold(evidence: Evidence) -> list[str]:
    """A clean run holds every contract: seen whole, no phantom, each job completed, none twice, attempts bounded."""
    contracts: list[Contract] = [Observed(), NoPhantoms(), AtMostOnce(), AttemptsBounded(2)]
    if Kind.JOB_DEAD in evidence.reports:  # Without it a failed job cannot be told from a lost one.
        contracts.append(AtLeastOnce())
    findings = judge(evidence.history, contracts).findings
    return [f"{finding.contract}: {finding.word}: {finding.sentence}" for finding in findings if finding.word is not Word.HOLDS]


def never_ready_early(evidence: Evidence) -> list[str]:
    """No worker calls itself ready while the broker answers nobody."""
    return [f"{name} said that it was ready while the broker was paused" for name in evidence.early or ()]


def stop_leaves_nothing(evidence: Evidence) -> list[str]:
    """A SIGTERM ends every worker in time, and all that it started; a library that is declared not to, leaves nothing after a
    SIGKILL."""
    killed = () if "stop" in evidence.app.missing else evidence.killed
    complaints = [f"{name} did not stop after SIGTERM and had to be killed" for name in killed]
    return complaints + [f"still ran after the workers had stopped: {command}" for command in evidence.leftovers]


def declaration_is_true(evidence: Evidence) -> list[str]:
    """What the adapter declares to report was seen, what it does not declare was not, and what is missing is declared."""
    seen = {Kind(number) for number in evidence.history.events["kind"].unique()}
    subject, reports = evidence.subject, evidence.reports
    provoked = {kind for outcome in subject.jobs for kind in EXPECTED[outcome]}
    # Who may miss its signal to stop says nothing of it either.
    optional = {Kind.WORKER_STOPPING} if "stop" in evidence.app.missing else set()
    optional |= RARE | HARNESS_KINDS | {kind for expected in EXPECTED.values() for kind in expected} - provoked
    complaints = [f"{kind.name_} is declared, and never came" for kind in sorted(reports - seen - optional)]
    complaints += [f"{kind.name_} came, and is not declared" for kind in sorted(seen - reports - HARNESS_KINDS)]
    said = {NEEDED[outcome] for outcome in subject.missing if outcome in NEEDED}
    complaints += [
        f"{kind.name_} is neither declared nor said to be missing"
        for kind in OF_A_LIFE
        if kind not in reports | said and kind.name_ not in evidence.app.missing
    ]
    for outcome in OUTCOMES:
        if outcome not in subject.jobs and outcome not in subject.missing:
            complaints.append(f"there is no job of {outcome!r}, and no reason in `missing`")
        if outcome in subject.jobs and outcome in subject.missing:
            complaints.append(f"{outcome!r} is called missing ({subject.missing[outcome]}), and there is a job of it")
    for outcome, kind in NEEDED.items():
        if outcome in subject.missing and kind in reports and outcome not in evidence.app.missing:
            complaints.append(f"{outcome!r} is called missing, and {kind.name_} is declared all the same")
    return complaints


def version_is_said(evidence: Evidence) -> list[str]:
    """The live app says which version of the library it runs on, the tasks that it has, and the settings that matter."""
    complaints = [] if evidence.app.version[:1].isdigit() else [f"the version is {evidence.app.version!r}"]
    absent = [job.task for job in evidence.subject.jobs.values() if job.task not in evidence.app.tasks]
    complaints += [f"the task {task!r} is not among the app's: {sorted(evidence.app.tasks)}" for task in absent]
    return complaints if evidence.app.settings else [*complaints, "no setting of the app is said"]


CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        version_is_said,
        history_is_complete,
        every_event_once,
        attempts_are_numbered,
        retries_come_when_announced,
        delays_are_kept,
        deaths_say_why,
        ids_map_both_ways,
        counts_agree,
        promises_hold,
        never_ready_early,
        stop_leaves_nothing,
        declaration_is_true,
    )
}
"""Every check by name, in an order in which the first that complains tells the most."""


def _jobs(evidence: Evidence) -> list[tuple[int, str]]:
    """`(job, outcome)` of every job whose task is one of the app's."""
    named = evidence.history.lives.select("job", "task").iter_rows()
    known = ((job, evidence.subject.outcome_of(evidence.history.text(task))) for job, task in named)
    return [(job, outcome) for job, outcome in known if outcome is not None]


def _kinds(history: History) -> dict[int, Counter[Kind]]:
    """How often each job has each kind of event."""
    counted = history.events.filter(pl.col("job").is_not_null()).group_by("job", "kind").len()
    kinds: dict[int, Counter[Kind]] = {}
    for job, kind, count in counted.iter_rows():
        kinds.setdefault(job, Counter())[Kind(kind)] = count
    return kinds


def _timed(history: History, job: int) -> list[tuple[Kind, int, int]]:
    """`(kind, time, value)` of every event of a job, in order."""
    rows = history.events.filter(pl.col("job") == job).select("kind", "time_ns", "value")
    return [(Kind(kind), time_ns, value) for kind, time_ns, value in rows.iter_rows()]


def _limited(complaints: Iterator[str]) -> list[str]:
    found = list(complaints)
    rest = len(found) - EXAMPLES
    return found if rest <= 1 else [*found[:EXAMPLES], f"and {rest} more of this sort"]
