"""The learning run: one job with nothing going wrong, after its worker was listened to while it had nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.clock import now_ns, seconds_between
from jobharness.errors import JobNeverSettled, TrafficUnreadable
from jobharness.explore.lines import INSTEAD
from jobharness.explore.stage import WORKER, Setting, Stage, stage_in
from jobharness.explore.steps import IdleTalk, Step, common, owned, steps_of
from jobharness.explore.transcript import Passing, linked, passings, told
from jobharness.explore.writes import is_write
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Learned", "Lesson", "combined", "learn"]

QUIET_S = 0.7
SETTLES_WITHIN_S = 20.0
COMES_DUE_WITHIN_S = 65.0


@dataclass(frozen=True)
class Lesson:
    """What one learning run heard. `idle`: the worker without a job; `took_s`: from sending the job to its end; `settled_s`: from
    sending until the broker held it no more; `children`: whether the job ran in another process than the worker's main one;
    `provider`: how the broker was had; `unheard`: entries of the app's own schedule that came due while the job was there, and
    not before, so that what a tick of them says may be among the steps.
    """

    history: History
    idle: IdleTalk
    steps: tuple[Step, ...]
    took_s: float
    settled_s: float
    children: bool
    provider: str
    unheard: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Learned:
    """What is known of the job. `noise`: labels of steps that only one of the runs had; `doubtful`: those among them that are
    about the job, so that it is not all known; `unheard`: as of a lesson, in both: schedules come due in both at the same time.
    """

    steps: tuple[Step, ...]
    noise: tuple[str, ...]
    idle: tuple[str, ...]
    took_s: float
    settled_s: float
    children: bool
    provider: str
    doubtful: tuple[str, ...] = ()
    unheard: frozenset[str] = frozenset()


def learn(
    setting: Setting,
    path: Path,
    idle_s: float,
    within_s: float,
    ignore: Sequence[str],
    keep: Sequence[str],
    due: frozenset[str] = frozenset(),
    meanwhile: Callable[[], None] = lambda: None,
) -> Lesson:
    """Run the job once and note what passes. `due`: entries of the app's own schedule; a tick of each is waited for, and heard,
    before. `meanwhile`: is called once the worker idles, and must not block. Blocks for a few seconds more than idling, job and
    `within_s` at most, and a minute more for what is `due`.

    Raises: JobNeverSettled with the job's life story; TrafficUnreadable; EnvironmentFailed.
    """
    with stage_in(setting, path) as stage:
        stage.transcribe(True)
        idled_ns = now_ns()
        stage.phase("idle")
        seen, before = stage.seen, frozenset(stage.seen.ticks)
        meanwhile()
        stage.look_on(idle_s)
        if due:
            stage.until(lambda: due <= seen.entries(seen.ended - before), COMES_DUE_WITHIN_S)
            stage.look_on(QUIET_S)
        heard_of, over = seen.entries(seen.ended - before), frozenset(seen.ended)
        main = stage.fleet.workers[0].process
        sent_ns = now_ns()
        stage.phase("job")
        stage.send()
        ended = stage.until(stage.ended, within_s)
        ended_ns = now_ns()
        settled = ended and stage.until(lambda: not stage.unsettled(), SETTLES_WITHIN_S)
        settled_ns = now_ns()
        stage.look_on(QUIET_S)
        unheard = seen.entries(seen.ticks.keys() - over) - heard_of
        owners = {number: who for peer in stage.wires for number, who in stage.owners(peer).items()}
        children = main is not None and stage.seen.runner not in (0, main.pid)
        where = "" if settled or not ended else stage.holds_job() or "counted by the broker, and not listed"
        stage.phase("over")
    history = stage.history
    assert history is not None
    _check_readable(stage, history)
    if not settled:
        raise JobNeverSettled(_unsettled(ended, within_s, where), _story(history))
    idle, heard = _split(history, sent_ns, seconds_between(idled_ns, sent_ns))
    enqueued_ns = _enqueued_ns(history)
    # Writes are counted from where the proxy begins to count them.
    heard = [one for one in heard if one.time_ns >= enqueued_ns or not is_write(one)]
    steps = owned(steps_of(heard, idle, ignore, keep, linked=bool(linked(history))), owners)
    if not steps:
        problem = f"the job ran, but no reply to {WORKER} named it, so it is not known where its steps begin."
        raise JobNeverSettled(problem, told(history))
    took_s, settled_s = seconds_between(sent_ns, ended_ns), seconds_between(sent_ns, settled_ns)
    return Lesson(history, idle, tuple(steps), took_s, settled_s, children, stage.parts.broker.provider, unheard)


def _split(history: History, sent_ns: int, idle_s: float) -> tuple[IdleTalk, list[Passing]]:
    heard = passings(history)
    idle = IdleTalk.of((one for one in heard if one.time_ns < sent_ns), idle_s)
    return idle, [one for one in heard if one.time_ns >= sent_ns]


def _enqueued_ns(history: History) -> int:
    times = history.of(Kind.ENQUEUE_BEGIN).select("time_ns").collect()["time_ns"]
    return int(times.min() or 0)  # type: ignore[arg-type]  # polars types min() as any literal


def _check_readable(stage: Stage, history: History) -> None:
    unread = history.of(Kind.BROKER_UNFRAMED).collect()
    if unread.height:
        words = history.text(unread["text"][0])
        raise TrafficUnreadable(
            f"{words}. Without messages there are no steps to strike at. Set {INSTEAD}: each socket write of the worker is then "
            "a step. Or use the plain port, or the protocol that was declared."
        )


def _unsettled(ended: bool, within_s: float, where: str) -> str:
    if not ended:
        return f"the job was not completed {within_s:g} s after it was sent, with nothing going wrong. What was seen of it:"
    return f"the job was completed, but {SETTLES_WITHIN_S:g} s later it is not settled ({where}). What was seen of it:"


def _story(history: History) -> list[str]:
    return [f"  {moment}" for moment in history.life(0)] if history.jobs.height else ["  nothing: it was not sent"]


def combined(first: Lesson, second: Lesson) -> Learned:
    """What two runs have in common; what only one of them had is noise."""
    steps, noise = common(first.steps, second.steps)
    idle = sorted({*first.idle.counts, *first.idle.ticks, *second.idle.counts, *second.idle.ticks})
    return Learned(
        tuple(steps),
        tuple(step.label for step in noise),
        tuple(idle),
        max(first.took_s, second.took_s),
        max(first.settled_s, second.settled_s),
        first.children or second.children,
        first.provider,
        tuple(step.label for step in noise if step.names_job),
        first.unheard & second.unheard,
    )
