"""The points of a map: at which message of a job what goes wrong, and to whom.

| point | what happens | what the broker knows |
| --- | --- | --- |
| `before` | the worker dies before the message leaves | all up to the message before |
| `after` | it dies when the message was carried out, and its reply is on its way | this message too |
| `reply lost` | it lives; the connection breaks instead of the reply | this message too, and the worker does not know |
| `message lost` | it lives; the message does not arrive | all up to the message before, and the worker believes otherwise |

A take is a reply: of it there is `after` and `reply lost` alone. `before` the second message and `after` the first are one point
to the broker, and two to everything else that the job does between them: both are tried. What only reads changes nothing, so that
a death before or after it is one at the message before or after: of it there is `reply lost` alone. A child that says what nobody
answers has gone on by the time that it is held, and with it its main process, which settles the job: it has no `before` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jobharness.explore.steps import Step

__all__ = ["CONTROL", "Act", "Point", "control_point", "points_of", "telling_first", "waiting_first"]


CONTROL = "control"
"""The kind of the point at which nothing goes wrong."""

_TELLING = {"tree": 0, "": 1, "child": 2, "main": 3}
"""Whose death tells most: the whole worker's, then what it lives through, then that of one process of a pool."""


@dataclass(frozen=True)
class Act:
    """What is done at the message: an act of `wire.steps`. `peer`: whose message it is, "" is the broker's."""

    act: str
    match: dict[str, object]
    reset: bool = False
    peer: str = ""


@dataclass(frozen=True)
class Point:
    """One point. `step`: the place of its step, from 0; `victim`: "tree", "main", "child", or "" where nobody is killed."""

    step: int
    kind: str
    victim: str
    label: str
    act: Act

    @property
    def name(self) -> str:
        """What it is called, such as "3 after tree"."""
        if self.kind == CONTROL:
            return CONTROL
        return " ".join(filter(None, (str(self.step + 1), self.kind, self.victim)))

    @property
    def waits(self) -> bool:
        """Whether it is over only when the library's own recovery has had its time, as far as the point tells: where the job is
        neither noted nor settled by the message."""
        return self.kind == "message lost" or (self.kind != CONTROL and (self.step == 0 or self.kind == "before"))

    @property
    def words(self) -> str:
        """For people, without the step's name."""
        if self.kind == CONTROL:
            return "nothing goes wrong, and another worker stands by"
        who = {"tree": "worker", "main": "main process alone", "child": "child alone"}.get(self.victim, "")
        return {
            "before": f"{who} killed before it leaves",
            "after": f"{who} killed, its reply on its way",
            "reply lost": "its reply lost, worker lives",
            "message lost": "it is lost, worker lives",
        }[self.kind]

    def sentence(self) -> str:
        """For people: where, and what."""
        return f"{self.label}: {self.words}"


def points_of(steps: Sequence[Step], children: bool) -> list[Point]:
    """Every point of the steps, in order. `children`: whether the job runs in another process than the worker's main one."""
    return [point for number, step in enumerate(steps) for point in _of(number, step, children)]


def _of(number: int, step: Step, children: bool) -> Iterator[Point]:
    victims = ("tree", "main", "child") if children else ("tree",)
    if step.take:
        held = Act("hold", step.last.match())
        for victim in victims[:2]:  # No child has the job yet.
            yield Point(number, "after", victim, step.label, held)
        yield Point(number, "reply lost", "", step.label, Act("lose", step.last.match(), reset=True))
        return
    for victim in victims if not step.reads else ():
        if victim == step.owner == "child" and not step.answered:
            continue
        yield Point(number, "before", victim, step.label, Act("hold", step.first.match(), peer=step.peer))
    act = "hold_reply" if step.answered else "hold"
    after = {**step.last.match(), **({} if step.answered else {"after": True})}
    for victim in victims if not step.reads else ():
        yield Point(number, "after", victim, step.label, Act(act, after, peer=step.peer))
    if step.answered:
        yield Point(number, "reply lost", "", step.label, Act("lose_reply", step.last.match(), reset=True, peer=step.peer))
    if (step.names_job or step.names_child) and not step.peer and not step.reads:
        yield Point(number, "message lost", "", step.label, Act("lose", step.last.match(), reset=step.answered))


def control_point() -> Point:
    """Where nothing goes wrong: what comes out wrong there is no crash's doing."""
    return Point(-1, CONTROL, "", "the job", Act("", {}))


def telling_first(points: Iterable[Point]) -> list[Point]:
    """In the order in which they tell most, for a budget."""
    return sorted(points, key=lambda point: (_TELLING[point.victim], point.step))


def waiting_first(points: Iterable[Point]) -> list[Point]:
    """In the order in which all of them are soonest over: first those that wait for the library's recovery, and meanwhile the
    rest is tried. Where a pool replaces its own dead, nothing else waits."""
    return sorted(points, key=lambda point: (not point.waits, point.victim == "child", point.step, _TELLING[point.victim]))
