"""One connection through the proxy, from a process of the app to the broker.

    app --> received --> framing --> steps (hold, lose, delay, repeat) --> pipe --> broker
    app <-- pipe <-- steps <-- framing <-- received <-- broker

Without a framing, bytes go straight to the pipe. With one they are passed on first and framed afterwards, unless the
link is `gated`: then only whole messages pass, so that a step can strike before any byte of one is through.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from jobharness.wire.framing import Framing
from jobharness.wire.jobs import Job
from jobharness.wire.message import Direction, Message
from jobharness.wire.pipe import Pipe
from jobharness.wire.steps import Step

if TYPE_CHECKING:
    from jobharness.wire.listener import Listener

__all__ = ["Link"]

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Side(asyncio.Protocol):
    """One end: the app's (`way` to the broker) or the broker's. It receives what goes `way`."""

    def __init__(self, link: Link, way: Direction) -> None:
        self.link, self.way = link, way
        self.transport: asyncio.Transport | None = None
        self.received = link.received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.link.connected(self.way)

    def data_received(self, data: bytes) -> None:
        self.received(self.way, data)

    def eof_received(self) -> bool:
        self.link.ended(self.way)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self.link.gone(self.way)

    # The end that cannot take more is the one written to; the other is then not read.
    def pause_writing(self) -> None:
        self.link.throttle(Direction(1 - self.way), True)

    def resume_writing(self) -> None:
        self.link.throttle(Direction(1 - self.way), False)


class Link:
    """Made for each connection that a listener accepts; opens its own to the broker."""

    def __init__(self, listener: Listener, number: int, framing: Framing | None, gated: bool) -> None:
        self.listener, self.number, self.gated = listener, number, gated
        self.framing = framing
        self.sides = (_Side(self, Direction.TO_BROKER), _Side(self, Direction.FROM_BROKER))
        loop = asyncio.get_running_loop()
        self.pipes = tuple(Pipe(loop, self._unconnected, self._throttle_for(way)) for way in Direction)
        self.swallowed: set[int] = set()
        self.lose_replies: dict[int, Step] = {}  # Number of a command -> the fault that its reply is lost to, or held for.
        self.pieces = 0  # Pieces of bytes received so far: what is in one was sent in one write.
        self.transaction_jobs: dict[Job, None] = {}  # Named since the last BEGIN, see `Listener._jobs`.
        self.close_after_s = 0.0
        self._early: list[bytes] = []
        self._unheard: list[bytes] = []
        self._linked = False
        self._kept: list[tuple[Direction, bytes, Message | None]] = []
        self._delayed: dict[tuple[Direction, int], deque[tuple[float, Message, Callable[[], None]]]] = {}
        self._ended = [False, False]
        self.closed = False

    def _throttle_for(self, way: Direction) -> Callable[[bool], None]:
        return lambda on: self.throttle(way, on)

    def _unconnected(self, data: bytes) -> None:
        """Where what the app sends goes while the connection to the broker is being made."""
        self._early.append(data)

    # Connections.

    def connected(self, way: Direction) -> None:
        """One end is there: the app's at first, then the broker's."""
        transport = self.sides[way].transport
        assert transport is not None
        self.pipes[1 - way].write = transport.write
        if way is Direction.TO_BROKER:
            self.listener.opened(self)
        else:
            for data in self._early:
                transport.write(data)
            self._early.clear()
            self._linked = True
            if self._ended[Direction.TO_BROKER]:
                self._pass_end(Direction.TO_BROKER)

    def ended(self, way: Direction) -> None:
        """One end will send no more. The other is told once everything before has left."""
        self._ended[way] = True
        if self.listener.hold is not None and way is Direction.TO_BROKER:
            self._die()
            return
        self.pipes[way].finish(lambda: self._after_close_delay(lambda: self._pass_end(way)))

    def _after_close_delay(self, then: Callable[[], None]) -> None:
        if self.close_after_s:
            asyncio.get_running_loop().call_later(self.close_after_s, then)
        else:
            then()

    def _pass_end(self, way: Direction) -> None:
        if not self._linked and way is Direction.TO_BROKER:
            return  # What was sent before the broker was reached goes there first, see `connected`.
        transport = self.sides[1 - way].transport
        if all(self._ended) or transport is None or not transport.can_write_eof():
            self.abandon()
        else:
            transport.write_eof()

    def gone(self, way: Direction) -> None:
        """One end is closed. Nothing can be passed to it; what it sent before still goes to the other end."""
        if self.closed:
            self._forget_if_over()
            return
        if not self._ended[way]:
            self.ended(way)
        self.pipes[1 - way].drop()
        self.pipes[1 - way].write = _nowhere
        if not self.closed and self._linked:
            self.pipes[way].finish(lambda: self._after_close_delay(self.abandon))
        self._forget_if_over()

    def _die(self) -> None:
        """The app's process was struck dead while it was held: what it had not got out dies with it."""
        self._kept.clear()
        self._delayed.clear()
        self.pipes[Direction.FROM_BROKER].drop()
        self.pipes[Direction.FROM_BROKER].write = _nowhere
        self.framing = None
        self._after_close_delay(self.abandon)

    def abandon(self) -> None:
        """Close both ends, in order: what was written is still delivered. What is held or delayed is not."""
        self.closed = True
        self._kept.clear()
        self._delayed.clear()
        for pipe in self.pipes:
            pipe.drop()
        for side in self.sides:
            if side.transport is not None:
                side.transport.close()
        self._forget_if_over()

    def reset(self) -> None:
        """Close the app's end with a TCP reset, and the broker's with it."""
        transport = self.sides[Direction.TO_BROKER].transport
        if transport is not None:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()
        self.abandon()

    def _forget_if_over(self) -> None:
        if all(side.transport is None for side in self.sides):
            self.listener.over(self)

    def throttle(self, way: Direction, on: bool) -> None:
        """Read, or do not read, the end that sends `way`."""
        transport = self.sides[way].transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading() if on else transport.resume_reading()

    # Bytes and messages.

    def received(self, way: Direction, data: bytes) -> None:
        """Bytes came in."""
        if way is Direction.FROM_BROKER and (self.listener.awaiting or self._unheard):
            self._unheard.append(data)
            return
        self._hear(way, data)

    def take_kept(self) -> None:
        """The first job is known: what the broker said meanwhile is heard now."""
        unheard, self._unheard = self._unheard, []
        for data in unheard:
            self._hear(Direction.FROM_BROKER, data)

    def _hear(self, way: Direction, data: bytes) -> None:
        framing = self.framing
        if framing is None:
            self.emit(way, data)
            return
        if not self.gated:
            self.emit(way, data)
        self.pieces += 1
        messages = framing.feed(way, data)
        if not self.gated:
            if self.listener.attentive:
                for message in messages:
                    self.listener.note(self, message)
        elif self.listener.steps or self.swallowed or self.lose_replies or self._delayed:
            for message in messages:
                self._gate(message)
        else:
            for message in messages:
                self.emit(way, message.raw, message)
        if framing.lost:
            self._pass_unframed()

    def _pass_unframed(self) -> None:
        framing, self.framing = self.framing, None
        assert framing is not None
        self.listener.unframed(self, framing.lost)
        if self.gated:
            for way in Direction:
                if rest := framing.rest(way):
                    self.emit(way, rest)

    def _gate(self, message: Message) -> None:
        if message.of and message.of in self.swallowed:
            return
        if message.of and message.of in self.lose_replies:
            step = self.lose_replies.pop(message.of)
            if step.act == "hold_reply":
                self.listener.hold_reply(self, message, step)
                return
            # A reply in several parts is lost as a whole.
            self.swallowed.add(message.of)
            self.listener.lost_reply(self, message, step)
            return
        if not self.listener.strike(self, message):
            self.pass_on(message)

    def await_reply(self, message: Message, step: Step) -> None:
        """Do to the reply of this message what the step says."""
        self.lose_replies[message.number] = step

    def peer_port(self) -> int:
        """The port of the app's end; 0 once it is closed."""
        transport = self.sides[Direction.TO_BROKER].transport
        return int(transport.get_extra_info("peername")[1]) if transport is not None else 0

    def pass_on(self, message: Message) -> None:
        """Let a message go, unless one before it in its channel is being delayed: then behind that."""
        waiting = self._delayed.get((message.direction, message.channel)) if self._delayed else None
        if waiting:
            waiting.append((waiting[-1][0], message, _nothing))
        else:
            self.emit(message.direction, message.raw, message)

    def delay(self, message: Message, by_s: float, then: Callable[[], None]) -> None:
        """Let a message go `by_s` later, and those behind it in its channel after it; `then` is called when it has gone."""
        place = (message.direction, message.channel)
        waiting = self._delayed.setdefault(place, deque())
        loop = asyncio.get_running_loop()
        ready_s = max(loop.time() + by_s, waiting[-1][0] if waiting else 0.0)
        waiting.append((ready_s, message, then))
        if len(waiting) == 1:
            loop.call_at(ready_s, self._let_go, place)

    def _let_go(self, place: tuple[Direction, int]) -> None:
        waiting, loop = self._delayed.get(place), asyncio.get_running_loop()
        if waiting is None or self.closed:
            return
        first_s = waiting[0][0]
        while waiting and waiting[0][0] <= max(first_s, loop.time()):
            _, message, then = waiting.popleft()
            then()
            self.emit(message.direction, message.raw, message)
        if waiting:
            loop.call_at(waiting[0][0], self._let_go, place)
        else:
            del self._delayed[place]

    def lose(self, message: Message, reset: bool) -> None:
        """The message does not arrive; with `reset`, the connection goes with it."""
        if reset:
            self.reset()
        elif message.is_reply:
            if message.of:
                self.swallowed.add(message.of)
        elif self.framing is not None:
            instead, replies = self.framing.withdraw(message)
            self.swallowed.update(replies)
            if instead:
                self.emit(message.direction, instead)

    def repeat(self, message: Message) -> None:
        """The message arrives twice; the app sees one answer."""
        assert self.framing is not None
        again, replies = self.framing.repeat(message)
        self.swallowed.update(replies)
        self.pass_on(message)
        self.pass_on(replace(message, raw=again))

    def emit(self, way: Direction, data: bytes, message: Message | None = None) -> None:
        """Give bytes to the pipe; while the app's process is held, keep them. `message`: what they are, where that is known."""
        if self.listener.hold is not None:
            self._kept.append((way, data, message))
        elif not self.closed:
            self.pipes[way].send(data)
            if message is not None and self.listener.attentive:
                self.listener.note(self, message)

    def release(self, forward: bool) -> None:
        """The hold is over: what was kept goes on, or dies with its process."""
        if not forward:
            self._die()
            return
        kept, self._kept = self._kept, []
        for way, data, message in kept:
            self.emit(way, data, message)


def _nowhere(data: bytes) -> None:
    """Where bytes for a closed end go."""


def _nothing() -> None:
    """What follows when a message goes that nobody waits for."""
