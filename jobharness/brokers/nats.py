"""NATS with JetStream: given by URL, from PATH, or a container."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from jobharness.brokers.provide import Offer
from jobharness.brokers.server import ContainerPlan, NotReady, ServerBroker
from jobharness.errors import BrokerFailed
from jobharness.scenario.model import BrokerSpec

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import StreamConfig

__all__ = ["NatsBroker", "NatsClient"]

CONNECT_WITHIN_S = 2
ANSWER_WITHIN_S = 5.0
T = TypeVar("T")


class NatsBroker(ServerBroker):
    """One NATS server on loopback with JetStream, its data in the run's folder."""

    kind = "nats"
    package = "nats"
    offer = Offer(
        "nats",
        binaries=("nats-server",),
        install="apt-get install nats-server",
        image="nats:2",
    )
    schemes = ("nats",)
    default_port = 4222
    oldest = (2, 2)

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._streams: list[StreamConfig] = []  # As they were before they were full.

    def _address(self, port: int) -> str:
        return f"nats://127.0.0.1:{port}"

    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        return [binary, "--addr", "127.0.0.1", "--port", str(self._port), "--jetstream", "--store_dir", str(folder)]

    def _container(self) -> ContainerPlan:
        return ContainerPlan(port=4222, command=["--jetstream", "--store_dir", "/data"])

    def _ask_version(self) -> str:
        # By hand, and not by nats-py: a handshake that a hanging server leaves half done would keep its socket there.
        parts = urlsplit(self.url)
        login = {"user": unquote(parts.username or ""), "pass": unquote(parts.password or ""), "verbose": False}
        try:
            with socket.create_connection(self._place, CONNECT_WITHIN_S) as connection, connection.makefile("rwb") as wire:
                about = json.loads(wire.readline().removeprefix(b"INFO "))
                wire.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
                wire.flush()
                answer = wire.readline().decode().strip()
        except (OSError, ValueError) as error:
            raise NotReady(str(error)) from error
        if answer.startswith("-ERR"):
            raise BrokerFailed(f"the NATS server at {self._where} refused the user or password in broker.url ({answer})")
        return str(about["version"])

    def forget(self) -> None:
        """Its streams are gone: it comes back empty."""
        self._own("empty").forget()

    def fill(self) -> None:
        """Every stream is at its limit and takes no more (`max_msgs` with `discard = new`): publishes are refused (503)."""
        from nats.js.api import DiscardPolicy

        self._own("fill")
        with self.client() as client:
            for info in client.ask(lambda stream: stream.streams_info()):
                self._streams.append(info.config)
                full = info.config.evolve(max_msgs=max(1, info.state.messages), discard=DiscardPolicy.NEW)
                client.ask(lambda stream: stream.update_stream(full))  # noqa: B023  # called at once

    def clear(self) -> None:
        """The limits of before."""
        if self._streams and not self.is_gone():
            with self.client() as client:
                for config in self._streams:
                    client.ask(lambda stream: stream.update_stream(config))  # noqa: B023  # called at once
        self._streams.clear()

    def client(self) -> NatsClient:
        """A new client for asking it; the caller closes it. Raises: BrokerFailed."""
        return NatsClient(self.url)


class NatsClient:
    """nats-py, asked from code that is not asynchronous. Not for two threads at once. Raises: BrokerFailed."""

    def __init__(self, url: str) -> None:
        from nats.aio.client import Client

        self._loop = asyncio.new_event_loop()
        self._nats: Client = Client()
        try:
            self._loop.run_until_complete(
                self._nats.connect(url, allow_reconnect=False, max_reconnect_attempts=1, connect_timeout=CONNECT_WITHIN_S)
            )
        except Exception as error:
            self.close()
            raise BrokerFailed(f"the broker did not answer ({error})") from error

    def ask(self, question: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        """The answer to a question to JetStream: `client.ask(lambda stream: stream.consumer_info("jobs", "workers"))`.

        Raises: BrokerFailed.
        """
        import nats.errors
        import nats.js.errors

        async def answer() -> T:
            return await asyncio.wait_for(question(self._nats.jetstream()), ANSWER_WITHIN_S)

        try:
            return self._loop.run_until_complete(answer())
        except nats.js.errors.NotFoundError:
            raise
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise BrokerFailed(f"the broker did not answer ({error or type(error).__name__})") from error

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._nats.close())
        self._loop.close()

    def __enter__(self) -> NatsClient:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
