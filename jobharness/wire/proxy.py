"""The proxy's own process: `python -m jobharness.wire.proxy FD CONFIG`.

FD is one end of a socket pair; the harness has the other. It sends one JSON object a line and gets one back for each, in order:
`{"ok": true, ...}` or `{"ok": false, "error": "..."}`.

| do | with | what |
| --- | --- | --- |
| listen | name, secure | accept connections of a process of the app, by TLS or plain; answers `port` |
| ports | name | answers `ports`: where the broker sees its connections come from |
| arm | label, match, act, times, by_s, reset | a step fault, see `steps` |
| disarm | label | it strikes no more; what it holds goes on |
| release | label, forward, dead | what it holds goes on, or dies with its process (`dead`: of these connections alone) |
| peers | name | answers `ports`: of each connection of a process, by number, the port of its own end |
| lay | label, kind, names, ways, share, first, seed, details | a network disturbance, see `disturbances` |
| lift | label | the disturbance is over |
| await_job | | what the broker says to workers is kept until the first job is known |
| transcribe | on | record every message as an event |

When the socket closes, by whatever death of the harness, the proxy ends.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, cast

from jobharness.agent.recorder import Recorder
from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.wire.door import Door
from jobharness.wire.framing import Framing, framing_named
from jobharness.wire.jobs import Jobs
from jobharness.wire.link import Link
from jobharness.wire.listener import WAYS, Laid, Listener
from jobharness.wire.match import Match
from jobharness.wire.message import Direction
from jobharness.wire.steps import Step

__all__ = ["Proxy"]


class Proxy:
    """All listeners, and what the harness asks of them. Args: the broker's address; `framing`: its name or None;
    `gated`: see `link`; `peer`: what it is called, where it is no broker; `first`: the number before that of the first
    connection; `chain`: key and certificate for who comes by TLS, which ends here."""

    def __init__(
        self,
        host: str,
        port: int,
        framing: str | None,
        gated: bool,
        records: str,
        peer: str = "",
        first: int = 0,
        chain: str = "",
    ) -> None:
        self._host, self._port, self._gated, self._records = host, port, gated, records
        self._framing: type[Framing] | None = framing_named(framing) if framing is not None else None
        self._jobs = Jobs(_enqueued(Path(records)))
        self._listeners: dict[str, Listener] = {}
        self._doors: dict[str, Door] = {}
        self._steps: dict[str, Step] = {}
        self._peer, self._accepted, self._chain = peer, first, chain
        self._watching: asyncio.Task[None] | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    async def listen(self, name: str, secure: bool = False) -> dict[str, Any]:
        """Open a port for a process of the app."""
        listener = self._listeners.get(name) or Listener(name, Recorder(self._records, "wire", name), self._jobs, self._peer)
        self._listeners[name] = listener
        tls = None
        if secure:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self._chain)
        self._doors[f"{name} by TLS" if secure else name] = door = Door(lambda: self._accept(listener), tls)
        await door.open()
        return {"port": door.port}

    async def ports(self, name: str) -> dict[str, Any]:
        """Where the broker sees the connections of a process of the app come from."""
        transports = [link.sides[Direction.FROM_BROKER].transport for link in self._listeners[name].links]
        return {"ports": [transport.get_extra_info("sockname")[1] for transport in transports if transport is not None]}

    def _accept(self, listener: Listener) -> asyncio.Protocol:
        self._accepted += 1
        framing = self._framing() if self._framing is not None else None
        link = Link(listener, self._accepted, framing, self._gated)
        task = asyncio.get_running_loop().create_task(self._connect(link))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return link.sides[Direction.TO_BROKER]

    async def _connect(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: link.sides[Direction.FROM_BROKER], self._host, self._port)
        except OSError:
            link.reset()
        else:
            if link.closed:
                link.abandon()

    async def arm(self, label: str, match: str | dict[str, Any], **what: Any) -> dict[str, Any]:
        """Arm a step fault."""
        step = Step(label, Match.of(match), **what)
        self._steps[label] = step
        for listener in self._listeners.values():
            if step.match.comes_from(listener.name):
                listener.steps.append(step)
        return {}

    async def disarm(self, label: str) -> dict[str, Any]:
        """Take a step fault away."""
        await self.release(label, True)
        step = self._steps.pop(label, None)
        for listener in self._listeners.values():
            listener.steps = [one for one in listener.steps if one is not step]
        return {"struck": step.struck if step is not None else 0}

    async def release(self, label: str, forward: bool, dead: list[int] | None = None) -> dict[str, Any]:
        """Let go on, or drop, what a step holds."""
        for listener in self._listeners.values():
            listener.release(label, forward, dead)
        return {}

    async def peers(self, name: str) -> dict[str, Any]:
        """Whose connection is whose is told by their ports."""
        return {"ports": {str(link.number): link.peer_port() for link in self._listeners[name].links}}

    async def lay(
        self,
        label: str,
        kind: str,
        names: list[str],
        ways: str,
        share: float,
        first: int | None,
        seed: str,
        details: dict[str, Any],
    ) -> dict[str, Any]:
        """Disturb the connections of some processes."""
        laid = Laid(label, kind, details, WAYS[ways], share, first, Random(seed))
        for name in names:
            if kind == "broker_refuse":
                self._doors[name].shut(label)
            self._listeners[name].lay(laid)
        return {"connections": laid.taken}

    async def lift(self, label: str) -> dict[str, Any]:
        """Stop a disturbance."""
        for listener in self._listeners.values():
            listener.lift(label)
        for door in self._doors.values():
            await door.lift(label)
        return {}

    async def await_job(self) -> dict[str, Any]:
        """Keep what the broker says to workers until the workload's first job is known.

        An id that the database gives is recorded once the insert has returned; by then a worker may have been given the job.
        """
        for listener in self._listeners.values():
            listener.awaiting = listener.name.startswith("worker-")
        self._watching = asyncio.get_running_loop().create_task(self._watch_for_job())
        return {}

    async def _watch_for_job(self) -> None:
        limit_s = asyncio.get_running_loop().time() + KEEP_AT_MOST_S
        while not self._jobs.sent and asyncio.get_running_loop().time() < limit_s:
            self._jobs.learn()
            await asyncio.sleep(WATCH_EVERY_S)
        for listener in self._listeners.values():
            listener.awaiting = False
            for link in sorted(listener.links, key=lambda link: link.number):
                link.take_kept()

    async def transcribe(self, on: bool) -> dict[str, Any]:
        """Record every message, or no longer."""
        for listener in self._listeners.values():
            listener.transcribing = on
            listener.attentive = on or bool(listener.laid)
        return {}


KEEP_AT_MOST_S = 10.0
WATCH_EVERY_S = 0.002
VERBS = ("listen", "ports", "arm", "disarm", "release", "lay", "lift", "transcribe", "peers", "await_job")


def _enqueued(records: Path) -> Callable[[], Iterable[tuple[bytes, str, bool]]]:
    follower = Follower(records, unwanted=set(Kind) - {Kind.ENQUEUE_BEGIN})

    def new() -> Iterator[tuple[bytes, str, bool]]:
        return ((one.key, one.text, one.role not in ("worker", "scheduler")) for one in follower.poll())

    return new


async def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """Do what the harness asks until it is gone."""
    proxy = Proxy(**config)
    reader, writer = await asyncio.open_connection(sock=control)
    while line := await reader.readline():
        asked = json.loads(line)
        verb = asked.pop("do")
        try:
            if verb not in VERBS:
                raise ValueError(f"there is no verb {verb!r}")
            answer = {"ok": True, **await getattr(proxy, verb)(**asked)}
        except Exception as error:
            answer = {"ok": False, "error": f"{verb}: {type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")


def main(descriptor: str, config: str) -> None:
    """Run the proxy on uvloop, or on asyncio's own loop where that is not installed."""
    control = socket.socket(fileno=int(descriptor))
    served = serve(control, cast(dict[str, Any], json.loads(config)))
    try:
        import uvloop
    except ImportError:
        asyncio.run(served)
    else:
        with suppress(KeyboardInterrupt):
            uvloop.run(served)


if __name__ == "__main__":
    main(*sys.argv[1:])
