"""One trial: a job, a fault at one of its messages, and a long enough look at what becomes of it.

    stage -> armed -> job sent -> struck -> the dead are dead -> a healthy worker -> recovery, a nudge -> over

The trial ends at once when the job is done and the broker holds it no more; else it waits for the library's own recovery, then
sends another job, since some libraries look around only when something arrives, and waits again. Most of that time it is at rest:
it looks around now and then, and leaves the processors to other trials. Periods that the library measures by its workers' time of
day are not waited for: their clocks are put forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from jobharness.clock import now_ns, seconds_between
from jobharness.errors import EnvironmentFailed, ProcessFailed
from jobharness.explore.outcome import NOWHERE
from jobharness.explore.points import CONTROL, Act, Point
from jobharness.explore.stage import Setting, Stage, stage_in
from jobharness.explore.transcript import told
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Patience", "attempt"]

LABEL = "strike"
AGAIN = "strike again"
LOOK_AGAIN_S = 0.25
RESTS_AFTER_S = 2.0
AFTER_NUDGE_S = 1.0
NUDGED_S = 8.0
NUDGE_WITHIN_S = 15.0


@dataclass(frozen=True)
class Patience:
    """How long a trial waits. `reach_s`: for the message to strike at; `recover_s`: for the library's own recovery, from when a
    healthy worker is there; `job_s`: how long the job takes when nothing goes wrong; `still_s`: before the job is sent, so
    that what a worker says at its start is over; `proof`: whether a job that is proven to be lost need not be waited for;
    `passed_s`: by how much the workers' clocks are put forward, one after the other, each time when `recover_s` brought nothing.
    """

    reach_s: float
    recover_s: float
    job_s: float
    still_s: float = 0.0
    proof: bool = False
    passed_s: Sequence[float] = ()


def attempt(
    setting: Setting,
    path: Path,
    point: Point,
    patience: Patience,
    second: Point | None = None,
    set_before: AbstractContextManager[Stage] | None = None,
    rests: Callable[[], None] = lambda: None,
) -> History:
    """Try one point and return what happened. `second`: what strikes the recovering worker; `set_before`: the stage at `path`,
    where it was set beforehand; `rests`: is called when nothing is left but to wait, and may be called again.

    What of the environment failed makes the history say that it was cut short. Blocks until the trial is over: for twice the
    recovery and a little more at most.
    """
    stage = None
    try:
        with set_before or stage_in(setting, path) as stage:
            _try(stage, point, patience, second, rests)
    except EnvironmentFailed as error:
        if stage is None or stage.history is None:
            return _cut_short(setting, path, str(error))
    assert stage is not None and stage.history is not None
    (path / "transcript.txt").write_text("".join(f"{line}\n" for line in told(stage.history)), encoding="utf-8")
    return stage.history


def _cut_short(setting: Setting, path: Path, why: str) -> History:
    from jobharness.history import log

    history = log.load(path / "history.parquet") if (path / "history.parquet").exists() else None
    if history is None:
        raise EnvironmentFailed(why)
    return history


def _try(stage: Stage, point: Point, patience: Patience, second: Point | None, rests: Callable[[], None]) -> None:
    try:
        stage.transcribe(True)
        stage.look_on(patience.still_s)
        lost = False
        if point.kind == CONTROL:
            _run_undisturbed(stage, patience)
        elif _reach(stage, point, patience):
            lost = _strike(stage, LABEL, point, patience.proof and second is None)
        else:
            return
        if second is not None:
            _arm(stage, AGAIN, second.act)

            def held_again(wait_s: float) -> bool:
                return stage.until(lambda: AGAIN in stage.seen.held_by, wait_s + patience.job_s)

            if _in_time(stage, patience, held_again):
                _strike(stage, AGAIN, second)
        if not (lost and _stays_away(stage)):
            _await_recovery(stage, patience, rests)
        stage.note_places()
        stage.note_invariants()
        stage.note_unlisted()
        stage.phase("over")
    except EnvironmentFailed as error:
        stage.cut_short(str(error))


def _run_undisturbed(stage: Stage, patience: Patience) -> None:
    """Nothing goes wrong."""
    stage.phase("struck")
    stage.send()
    stage.until(stage.ended, patience.reach_s)


def _reach(stage: Stage, point: Point, patience: Patience) -> bool:
    """Send the job and wait for the message to strike at; False where it did not come."""
    _arm(stage, LABEL, point.act)
    stage.phase("job")
    stage.send()
    return stage.until(lambda: LABEL in stage.seen.held_by, patience.reach_s)


def _arm(stage: Stage, label: str, act: Act) -> None:
    stage.lines[act.peer].arm(label, act.match, act.act, times=1, reset=act.reset)


def _strike(stage: Stage, label: str, point: Point, proof: bool = False) -> bool:
    """Kill whom the point says, and let go what the proxy holds: of the dead nothing more goes out. Afterwards a healthy worker
    is there. Returns whether the job was proven to be lost before that, which is tried if `proof`."""
    lost = False
    # Its message may be heard of before its sending: they are read from two files, one after the other.
    if not stage.until(lambda: bool(stage.seen.keys), NUDGE_WITHIN_S):
        raise ProcessFailed("producer", "said nothing of the job that was struck", "")
    stage.phase("struck")
    if point.victim:
        record, text = stage.recorder.record, stage.recorder.text(label)
        record(Kind.FAULT_BEGIN, value=1, text=text)
        # Whose connections die is asked while they are all there.
        owners = stage.owners(point.act.peer) if point.victim != "tree" else {}
        victims = stage.kill(point.victim)
        key = stage.seen.keys[0]
        record(Kind.FAULT_HIT, key, value=victims[0], text=text)
        _let_go(stage, label, point, owners)
        record(Kind.FAULT_END, text=text)
        lost = proof and point.victim == "tree" and stage.prove_loss()
    stage.until(lambda: stage.lives, stage.parts.scenario.queue.ready_within + 5)
    stage.phase("recovering")
    return lost


def _let_go(stage: Stage, label: str, point: Point, owners: Mapping[int, str]) -> None:
    line = stage.lines[point.act.peer]
    if point.victim == "tree" or not owners:
        line.release(label, point.victim == "child")
        return
    line.release(label, True, [number for number, owner in owners.items() if owner == point.victim])


def _await_recovery(stage: Stage, patience: Patience, rests: Callable[[], None]) -> None:
    """Until the job is done and settled, or everything that could bring it back has had its time."""
    if _in_time(stage, patience, lambda wait_s: _settles(stage, wait_s, rests)):
        return
    held = stage.holds_job()
    stage.phase("nudge")
    stage.nudge()
    stage.until(lambda: stage.ended(1), NUDGE_WITHIN_S)
    # Where nothing holds it any more, another look is enough; where something does, its turn may come again. Leases have run out
    # by now, and regular sweeps have been: what only a new job sets off is to be seen soon.
    again_s = min(patience.recover_s, NUDGED_S)
    _settles(stage, again_s if held or stage.holds_job() or stage.ended() else AFTER_NUDGE_S, rests)


def _in_time(stage: Stage, patience: Patience, comes: Callable[[float], bool]) -> bool:
    """Whether it comes within the library's own recovery. `comes`: waits for it, for so many seconds at most."""
    for period_s in patience.passed_s:
        began_ns = now_ns()
        if comes(patience.recover_s):
            return True
        stage.pass_time(period_s, seconds_between(began_ns, now_ns()))
    return comes(patience.recover_s)


def _stays_away(stage: Stage) -> bool:
    """Whether a job that was nowhere is so still, when a healthy worker has done the one that was sent after it. It is noted."""
    away_ns = stage.seen.moved_ns
    if not stage.until(lambda: stage.ended(1), NUDGE_WITHIN_S) or stage.seen.moved_ns != away_ns:
        return False
    stored = stage.stored()
    if stored is None or stored[0]:
        return False
    stage.phase(NOWHERE)
    return True


MOST_TURNS = 4
"""How many times the bound a job may go on moving before it is taken for one that never comes to rest."""


def _settles(stage: Stage, within_s: float, rests: Callable[[], None]) -> bool:
    """Whether the job is done, and nothing is left of it, within this time after it last moved."""
    began_ns = now_ns()
    while not _done(stage):
        quiet_s = seconds_between(max(began_ns, stage.seen.moved_ns), now_ns())
        if quiet_s > within_s and not stage.busy:
            return False
        if quiet_s > RESTS_AFTER_S and not stage.busy:
            rests()
        # A job that is run again and again moves for ever: what it does to its effects has been seen by then.
        if seconds_between(began_ns, now_ns()) > MOST_TURNS * within_s:
            return False
        stage.look_on(LOOK_AGAIN_S)
    return True


def _done(stage: Stage) -> bool:
    """Looked at twice: between two messages of a worker, a job is in no place."""

    def now() -> bool:
        return stage.ended() and not stage.busy and not stage.unsettled()

    if not now():
        return False
    stage.look_on(LOOK_AGAIN_S)
    return now()
