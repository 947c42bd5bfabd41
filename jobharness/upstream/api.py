"""The API itself: answers any request, keeps its quotas, misbehaves when told to, and writes every request to a ledger.

The ledger is the history: `upstream.request`, `upstream.answered`, `effect.applied`. The agent in the caller says which job a
request belongs to (see `agent.redirect`), and an app without it may, by its id in `X-Job-Id`; what makes it one and the
same effect is in `Idempotency-Key`. The harness tells the API how to
misbehave by PUT and DELETE of `/.jobharness/misbehaviour/<label>`.

    request -> ledger -> misbehaviour? -> quota? -> latency -> effect -> answer
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from email.utils import formatdate
from random import Random
from time import time
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jobharness.agent import redirect
from jobharness.agent.recorder import Recorder
from jobharness.clock import NS_PER_S, now_ns
from jobharness.history.event import Kind
from jobharness.upstream.behaviour import Manners, Misbehaviour
from jobharness.upstream.quota import QUOTAS, Quota

__all__ = ["CONTROL", "Api", "main"]

HEADER = redirect.HEADER.lower().encode()
CONTROL = "/.jobharness/misbehaviour/"
NO_JOB = b"\0" * 16
LOST = -1  # In the ledger, where an HTTP status stands else: the caller got no answer.

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Exchange:
    """One request and its entry in the ledger."""

    def __init__(self, recorder: Recorder, scope: Scope, send: Send) -> None:
        headers = dict(scope["headers"])
        self.headers, self._scope, self._send, self._recorder = headers, scope, send, recorder
        self.key, job_text = _job_of(headers, recorder)
        self._effect = recorder.text(headers.get(b"idempotency-key", b"").decode("latin-1")) or job_text
        self.route = f"{scope['method']} {scope['path']}"
        self._route = recorder.text(self.route)

    def note(self, kind: Kind, value: int = 0) -> None:
        self._recorder.record(kind, self.key, value, task=self._route, text=self._effect)

    def hit(self, label: str, value: int) -> None:
        self._recorder.record(Kind.FAULT_HIT, self.key, value, task=self._route, text=self._recorder.text(label))

    async def answer(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b'{"ok": true}') -> None:
        self.note(Kind.UPSTREAM_ANSWERED, status)
        raw = [(name.encode(), value.encode()) for name, value in headers]
        raw += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})

    def reset(self) -> None:
        """End the connection with a RST, as a crashed server's kernel does."""
        self.note(Kind.UPSTREAM_ANSWERED, LOST)
        transport = self._scope["jobharness.transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class Api:
    """The ASGI app. Args: `manners`, and the recorder of this process."""

    def __init__(self, manners: Manners, recorder: Recorder) -> None:
        self._manners, self._recorder = manners, recorder
        self._wrongs: dict[str, tuple[Misbehaviour, Random]] = {}
        self._quotas: dict[tuple[int, bytes], Quota] = {}
        self._applied: set[tuple[str, bytes]] = set()  # By route and Idempotency-Key.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if scope["path"].startswith(CONTROL):
            await self._obey(scope, send, body)
            return
        exchange = _Exchange(self._recorder, scope, send)
        exchange.note(Kind.UPSTREAM_REQUEST)
        wrong = self._wrong(scope["path"])
        if wrong is None or not await self._misbehave(wrong, exchange, receive):
            await self._behave(exchange)

    def _wrong(self, path: str) -> Misbehaviour | None:
        """The first misbehaviour that befalls this request."""
        for wrong, random in self._wrongs.values():
            if path.startswith(wrong.path) and (wrong.share >= 1 or random.random() < wrong.share):
                return wrong
        return None

    async def _misbehave(self, wrong: Misbehaviour, exchange: _Exchange, receive: Receive) -> bool:
        """Do what the fault says; False where the request goes on as usual afterwards."""
        exchange.hit(wrong.label, wrong.answer if isinstance(wrong.answer, int) else 0)
        if wrong.delay_s:
            await asyncio.sleep(wrong.delay_s)
        if wrong.answer == "slow":
            return False
        if wrong.answer == "hang":
            while (await receive())["type"] != "http.disconnect":
                continue
            exchange.note(Kind.UPSTREAM_ANSWERED, LOST)
        elif wrong.answer == "reset":
            exchange.reset()
        elif wrong.answer == "reply-lost":
            self._apply(exchange)
            exchange.reset()
        else:
            wait_ns = round((wrong.retry_after_s or 0.0) * NS_PER_S)
            await exchange.answer(int(wrong.answer), _retry_headers(exchange, wrong.retry_after, wait_ns), b'{"ok": false}')
        return True

    async def _behave(self, exchange: _Exchange) -> None:
        """Keep the quotas, take effect, answer."""
        asked: list[Quota] = []
        try:
            for number, rule in enumerate(self._manners.quotas):
                caller = exchange.headers.get(rule.key.lower().encode(), b"") if rule.key else b""
                quota = self._quotas.get((number, caller))
                if quota is None:
                    quota = self._quotas[number, caller] = QUOTAS[rule.kind](rule.limit, rule.window_s)
                said = quota.ask(now_ns())
                if not said.passes:
                    headers = [*_retry_headers(exchange, self._manners.retry_after, said.retry_after_ns)]
                    if self._manners.limit_headers:
                        headers += _limit_headers(quota.limit, said.remaining, said.retry_after_ns)
                    await exchange.answer(429, headers, b'{"ok": false}')
                    return
                asked.append(quota)
            if self._manners.latency_s:
                await asyncio.sleep(self._manners.latency_s)
            self._apply(exchange)
            await exchange.answer(200)
        finally:
            for quota in asked:
                quota.done()

    def _apply(self, exchange: _Exchange) -> None:
        """Take effect, unless the request is one that has."""
        key = exchange.headers.get(b"idempotency-key", b"")
        if self._manners.idempotent and key:
            if (exchange.route, key) in self._applied:
                return
            self._applied.add((exchange.route, key))
        exchange.note(Kind.EFFECT_APPLIED)

    async def _obey(self, scope: Scope, send: Send, body: bytes) -> None:
        """A word from the harness; it is not in the ledger."""
        label = scope["path"].removeprefix(CONTROL)
        if scope["method"] == "PUT":
            wrong = Misbehaviour.model_validate_json(body)
            self._wrongs[label] = (wrong, Random(wrong.seed))
        else:
            self._wrongs.pop(label, None)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _job_of(headers: Mapping[bytes, bytes], recorder: Recorder) -> tuple[bytes, int]:
    """Key and text of the job that a request is for: as the agent in its caller tells it, or else the app."""
    told = headers.get(HEADER)
    if told is not None and len(told) == 2 * len(NO_JOB):
        with suppress(ValueError):
            return bytes.fromhex(told.decode("latin-1")), 0
    job_id = headers.get(b"x-job-id", b"").decode("latin-1")
    return recorder.job(job_id) if job_id else (NO_JOB, 0)


def _retry_headers(exchange: _Exchange, style: str, wait_ns: int) -> Iterator[tuple[str, str]]:
    """`Retry-After` in the given style; whole seconds, rounded up, so that who honours it is not too early."""
    if style == "none" or not wait_ns:
        return
    exchange.note(Kind.UPSTREAM_RETRY_AFTER, wait_ns)
    seconds = math.ceil(wait_ns / NS_PER_S)
    # A date has no fraction either: the coming whole second is added.
    yield "Retry-After", str(seconds) if style == "seconds" else formatdate(math.ceil(time()) + seconds, usegmt=True)


def _limit_headers(limit: int, remaining: int, reset_ns: int) -> Iterator[tuple[str, str]]:
    yield "X-RateLimit-Limit", str(limit)
    yield "X-RateLimit-Remaining", str(remaining)
    yield "X-RateLimit-Reset", str(math.ceil(reset_ns / NS_PER_S))


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which hands the app its transport: ASGI has no word for a reset."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["jobharness.transport"] = self.transport  # type: ignore[typeddict-unknown-key]  # an extension of ours


def main(port: str, records: str, manners: str, tls_port: str = "", chain: str = "") -> None:
    """Serve on 127.0.0.1 until ended. `manners`: JSON; `chain`: key and certificate for `tls_port`."""
    recorder = Recorder(records, "upstream", "upstream")
    api = Api(Manners.model_validate(json.loads(manners)), recorder)
    servers = [_server(api, int(port))]
    if tls_port:
        servers.append(_server(api, int(tls_port), ssl_certfile=chain, ssl_keyfile=chain))
    uvloop.run(_serve(servers))


def _server(api: Api, port: int, **tls: Any) -> uvicorn.Server:
    quiet: dict[str, Any] = {"lifespan": "off", "log_level": "warning", "access_log": False}
    return uvicorn.Server(uvicorn.Config(api, host="127.0.0.1", port=port, http=_Protocol, **quiet, **tls))


async def _serve(servers: Iterable[uvicorn.Server]) -> None:
    """All of them in one loop, so that they have one app; a signal ends all."""
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    main(*sys.argv[1:])
