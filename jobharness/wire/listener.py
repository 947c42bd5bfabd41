"""The traffic of one process of the app: its own port, its connections, and what is armed against them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from jobharness.agent.record import NO_JOB
from jobharness.agent.recorder import Recorder
from jobharness.history.event import Kind
from jobharness.wire.disturbances import disturbance_of
from jobharness.wire.jobs import Job, Jobs
from jobharness.wire.link import Link
from jobharness.wire.message import Direction, Message
from jobharness.wire.pipe import Disturbance, Pipe
from jobharness.wire.signature import signature
from jobharness.wire.steps import Step

__all__ = ["Laid", "Listener"]

WAYS = {"to-broker": (Direction.TO_BROKER,), "from-broker": (Direction.FROM_BROKER,), "both": tuple(Direction)}
BEGINS, ENDS = ("BEGIN", "START"), ("COMMIT", "END")  # Of PostgreSQL; in RESP a message carries its transaction itself.


@dataclass
class Laid:
    """A disturbance over connections. `share` of them, and of those the `first` (None: all), are disturbed."""

    label: str
    kind: str
    details: dict[str, Any]
    ways: tuple[Direction, ...]
    share: float
    first: int | None
    random: Random
    taken: int = 0
    on: list[tuple[Link, Pipe, Disturbance]] = field(default_factory=list)
    hit: set[object] = field(default_factory=set)

    def takes(self) -> bool:
        """Whether the next connection is one of those disturbed."""
        if self.first is not None and self.taken >= self.first:
            return False
        if self.share < 1 and self.random.random() >= self.share:
            return False
        self.taken += 1
        return True


class Listener:
    """All connections of one process of the app, by the name it has in the scenario. `peer`: to whom, "" is the broker."""

    def __init__(self, name: str, recorder: Recorder, jobs: Jobs, peer: str = "") -> None:
        self.name, self.recorder, self.jobs, self._peer = name, recorder, jobs, peer
        self.links: set[Link] = set()
        self.steps: list[Step] = []
        self.laid: dict[str, Laid] = {}
        self.hold: Step | None = None
        self.transcribing = False
        self.attentive = False
        self.awaiting = False  # The first job is not known yet, so what the broker says is kept.
        self._last: tuple[Message, list[Job]] | None = None  # What was said last, and about whom.

    # Connections.

    def opened(self, link: Link) -> None:
        """A connection was accepted."""
        self.links.add(link)
        for laid in self.laid.values():
            self._disturb(laid, link)

    def over(self, link: Link) -> None:
        """A connection is closed at both ends."""
        self.links.discard(link)

    def unframed(self, link: Link, why: str) -> None:
        """A connection does not speak the protocol; from here its bytes are passed on unread."""
        to = f" to {self._peer}" if self._peer else ""
        words = f"connection {link.number} of {self.name}{to} is passed on unframed: {why}"
        self.recorder.record(Kind.BROKER_UNFRAMED, text=self._text(words))

    # Disturbances.

    def lay(self, laid: Laid) -> None:
        """Disturb the connections there are and those to come."""
        self.laid[laid.label] = laid
        self.attentive = True
        for link in sorted(self.links, key=lambda link: link.number):
            self._disturb(laid, link)

    def _disturb(self, laid: Laid, link: Link) -> None:
        if not laid.takes():
            return
        if laid.kind == "reset" or laid.details.get("cut"):
            self._evidence(Kind.FAULT_HIT, laid.label, [], f"connection {link.number} reset")
            asyncio.get_running_loop().call_soon(link.reset)
        elif laid.kind == "slow_close":
            link.close_after_s = laid.details["delay_s"]
        for way in laid.ways:
            disturbance = disturbance_of(laid.kind, laid.random, laid.details)
            if disturbance is not None:
                link.pipes[way].disturb(disturbance)
                laid.on.append((link, link.pipes[way], disturbance))

    def lift(self, label: str) -> None:
        """Disturb no more. Safe to call twice."""
        laid = self.laid.pop(label, None)
        if laid is not None:
            for link, pipe, disturbance in laid.on:
                if link in self.links and link.listener is self:
                    pipe.calm(disturbance)
            if laid.kind == "slow_close":
                for link in self.links:
                    link.close_after_s = 0.0
        self.attentive = bool(self.laid) or self.transcribing

    # Messages.

    def note(self, link: Link, message: Message) -> None:
        """A message passes while somebody wants to know."""
        if self.transcribing:
            self._transcribe(link, message)
        for laid in self.laid.values():
            if message.direction in laid.ways and any(link is disturbed for disturbed, _, _ in laid.on):
                jobs = [job for job in self._jobs(link, message) if job not in laid.hit]
                if jobs or link not in laid.hit:
                    laid.hit.update((link, *jobs))
                    self._evidence(Kind.FAULT_HIT, laid.label, jobs, self._words(link, message))

    def strike(self, link: Link, message: Message) -> bool:
        """Let the armed steps look at a message. True when one of them has dealt with it."""
        if not any(step.waits or step.holding for step in self.steps):
            return False
        jobs: list[Job] | None = None
        for step in self.steps:
            if jobs is None:
                jobs = self._jobs(link, message)  # Also of a message that is not meant: a job may get a name in it.
            step.notice(message.is_reply, jobs)
            if step.waits and self._meant(step, link, message) and step.counts(jobs, self.jobs.sent):
                step.struck += 1
                self._act(step, link, message, jobs)
                return True
        return False

    def _meant(self, step: Step, link: Link, message: Message) -> bool:
        if not step.match.fits(message, self.name):
            return False
        return not step.match.alike or step.match.is_alike(signature(message, self._described(link, message)))

    def _act(self, step: Step, link: Link, message: Message, jobs: list[Job]) -> None:
        words = self._words(link, message)
        if step.act == "hold":
            self._hold(step, link, message, jobs, words)
            return
        if step.act in ("lose_reply", "hold_reply"):
            link.await_reply(message, step)
            link.pass_on(message)
            return
        self._evidence(Kind.FAULT_BEGIN, step.label, [], words, step.struck)
        self._evidence(Kind.FAULT_HIT, step.label, jobs, words)
        if step.act == "delay":
            link.delay(message, step.by_s, lambda: self._evidence(Kind.FAULT_END, step.label, [], words))
            return
        if step.act == "lose":
            link.lose(message, step.reset)
        else:
            link.repeat(message)
        self._evidence(Kind.FAULT_END, step.label, [], words)

    def _hold(self, step: Step, link: Link, message: Message, jobs: list[Job], words: str) -> None:
        if step.match.after:
            link.pass_on(message)
        step.holding, self.hold = True, step
        if not step.match.after:
            link.pass_on(message)  # Into what is kept.
        label, command, said = map(self._text, (step.label, message.command, words))
        for key in [job.key for job in jobs] or [NO_JOB]:
            self.recorder.record(Kind.BROKER_STEP, key, link.number, task=command, text=label, group=said)

    def hold_reply(self, link: Link, message: Message, step: Step) -> None:
        """The reply came that a step waits for: the message that it answers was carried out, and nobody is told."""
        self._hold(step, link, message, self._jobs(link, message), self._words(link, message))

    def release(self, label: str, forward: bool, dead: Sequence[int] | None = None) -> None:
        """Let go on what a step holds here; nothing happens when it holds nothing. `dead`: the connections that died, by number,
        where not all did.
        """
        if self.hold is None or self.hold.label != label:
            return
        self.hold.holding, self.hold = False, None
        for link in sorted(self.links, key=lambda link: link.number):
            link.release(forward if dead is None else link.number not in dead)

    def lost_reply(self, link: Link, message: Message, step: Step) -> None:
        """The reply to a command came whose reply is to be lost."""
        words = self._words(link, message)
        self._evidence(Kind.FAULT_BEGIN, step.label, [], words, step.struck)
        self._evidence(Kind.FAULT_HIT, step.label, self._jobs(link, message), words)
        link.lose(message, step.reset)
        self._evidence(Kind.FAULT_END, step.label, [], words)

    # Evidence.

    def _text(self, words: str) -> int:
        return int(self.recorder.text(words))

    def _jobs(self, link: Link, message: Message) -> list[Job]:
        """Asked for by the steps, the disturbances and the transcript in turn, and found once."""
        if self._last is None or self._last[0] is not message:
            self._last = message, self._found_jobs(link, message)
        return self._last[1]

    def _found_jobs(self, link: Link, message: Message) -> list[Job]:
        framing = link.framing
        found = self.jobs.of(message, lambda: framing.values(message) if framing is not None else (), b"%d " % link.number)
        if not message.is_reply and message.command in ENDS:
            # A COMMIT is about the jobs of its transaction, also those that only a reply within it has named.
            found = found or list(link.transaction_jobs)
        elif message.command in BEGINS:
            link.transaction_jobs.clear()
        else:
            link.transaction_jobs.update(dict.fromkeys(found))
        return found

    def _described(self, link: Link, message: Message) -> str:
        return link.framing.describe(message) if link.framing is not None else message.command

    def _words(self, link: Link, message: Message, described: str | None = None) -> str:
        described = self._described(link, message) if described is None else described
        arrow = "<-" if message.is_reply else "->"
        place = f"{self.name} {self._peer}" if self._peer else self.name
        return f"{place} connection {link.number} {arrow} {described} ({len(message.raw)} bytes)"

    def _evidence(self, kind: Kind, label: str, jobs: list[Job], words: str, value: int = 0) -> None:
        for key in [job.key for job in jobs] or [NO_JOB]:
            self.recorder.record(kind, key, value, text=self._text(label), group=self._text(words))

    def _transcribe(self, link: Link, message: Message) -> None:
        size = -len(message.raw) if message.is_reply else len(message.raw)
        described = self._described(link, message)
        words = self._text(self._words(link, message, described))
        alike = (f"@{self._peer} " if self._peer else "") + signature(message, described)
        place = self._text(f"{message.of if message.is_reply else message.number} {link.pieces} {alike}")
        for key in [job.key for job in self._jobs(link, message)] or [NO_JOB]:
            self.recorder.record(Kind.BROKER_MESSAGE, key, size, link.number, self._text(message.command), words, place)
