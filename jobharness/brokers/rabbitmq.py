"""RabbitMQ as a node of the run's own (own name, ports, data and epmd, several side by side), given by URL, or a container.

Queues are counted through the management plugin's HTTP API with `enable_queue_totals`, which asks the queues themselves; its
other figures are samples of up to 5 s ago. A quorum queue answers there with what it noted at its last tick (rabbit_quorum_queue,
`quorum_tick_interval`): what is ready is asked by a passive declaration instead, and the nodes that are started here tick often.
"""

from __future__ import annotations

import base64
import json
import shutil
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from jobharness.brokers.broker import QueuedMessage, QueueTotals
from jobharness.brokers.provide import Offer
from jobharness.brokers.server import ContainerPlan, NotReady, ServerBroker
from jobharness.errors import BrokerFailed
from jobharness.processes.ports import free_port, is_open
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

if TYPE_CHECKING:
    import amqp

__all__ = ["RabbitmqBroker"]

EPMD_WITHIN_S = 10.0
ANSWER_WITHIN_S = 5.0
TOLD_WITHIN_S = 30.0
WATERMARK = "0.4"  # RabbitMQ's own default, which the nodes that are started here have.
MANAGEMENT_PORT = 15672
TICK_MS = 200  # RabbitMQ's own default is 5000.
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
log.console = true
log.console.level = info
log.file = false
disk_free_limit.absolute = 50MB
"""
TICKS = f"-rabbit quorum_tick_interval {TICK_MS}"
IN_CONTAINER = "rabbitmq-plugins enable --offline rabbitmq_management && exec docker-entrypoint.sh rabbitmq-server"


class RabbitmqBroker(ServerBroker):
    """One RabbitMQ node on loopback with its management plugin, user guest, its data in the run's folder."""

    kind = "rabbitmq"
    package = "amqp"
    offer = Offer(
        "rabbitmq",
        # Debian's command on PATH changes to the system's own node and user; the one below it does as it is told.
        binaries=("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
        install="apt-get install rabbitmq-server",
        image="rabbitmq:3",
        tells_version=False,
    )
    schemes = ("amqp",)
    default_port = 5672
    oldest = (3, 8)
    ready_within_s = 60.0

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        own = spec.url is None
        self._management_port = free_port() if own else MANAGEMENT_PORT
        self._epmd_port, self._distribution_port = (free_port(), free_port()) if own else (0, 0)
        self._epmd: Process | None = None
        self._full = self._limited = False

    def _address(self, port: int) -> str:
        return f"amqp://guest:guest@127.0.0.1:{port}/%2F"

    def _prepare(self, binary: str, folder: Path, site: Site) -> None:
        (folder / "rabbitmq.conf").write_text(CONFIG.format(port=self._port, management=self._management_port), encoding="ascii")
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="ascii")
        # Erlang would start its port mapper as a daemon that outlives the node; ours is a process of the run.
        self._epmd = site.start("broker-epmd", ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"], folder)
        if not wait_for(lambda: is_open(self._epmd_port), EPMD_WITHIN_S):
            raise BrokerFailed("Erlang's port mapper `epmd` did not start", self._epmd.log_tail())

    def stop(self) -> None:
        """End the node that was started here, and its port mapper. Safe to call twice."""
        super().stop()
        if self._epmd is not None:
            self._epmd.stop(grace_s=0)
            self._epmd = None

    def _environment(self, folder: Path) -> Mapping[str, str]:
        return {
            "HOME": str(folder),  # Of the Erlang cookie.
            "RABBITMQ_NODENAME": f"jobharness-{self._port}@localhost",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{127,0,0,1}} {TICKS}",
            "RUNNING_UNDER_SYSTEMD": "true",  # The script then becomes the node, instead of waiting for it.
            "RABBITMQ_LOG": "-color",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        return [binary]

    def _container(self) -> ContainerPlan:
        return ContainerPlan(
            port=5672,
            more_ports={MANAGEMENT_PORT: self._management_port},
            command=["bash", "-c", IN_CONTAINER],
            env={"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": TICKS},
        )

    def _ask_version(self) -> str:
        with self.client() as client:
            return str(client.server_properties["version"])

    def client(self) -> amqp.Connection:
        """A new AMQP connection; the caller closes it. Raises: BrokerFailed where the server refuses it."""
        import amqp

        parts = urlsplit(self.url)
        connection = amqp.Connection(
            host=self._where,
            userid=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=self._virtual_host,
            connect_timeout=ANSWER_WITHIN_S,
            read_timeout=ANSWER_WITHIN_S,
            write_timeout=ANSWER_WITHIN_S,
        )
        try:
            connection.connect()
        except (amqp.AccessRefused, amqp.NotAllowed) as error:
            said = (
                f"the RabbitMQ server at {self._where} refused the user, password or virtual host in broker.url ({error.message})"
            )
            raise BrokerFailed(said) from error
        except (amqp.AMQPError, OSError) as error:
            raise NotReady(str(error) or type(error).__name__) from error
        return connection

    def room(self, name: str, like: str | None = None) -> RabbitmqBroker:
        """A virtual host of its own, empty. Raises: BrokerFailed."""
        self._manage(f"vhosts/{quote(name, safe='')}", "PUT", {})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        user = quote(unquote(urlsplit(self.url).username or "guest"), safe="")
        self._manage(f"permissions/{quote(name, safe='')}/{user}", "PUT", everything)
        room = self._roommate(f"/{quote(name, safe='')}")
        room._management_port = self._management_port
        return room

    def queue_totals(self) -> Mapping[str, QueueTotals]:
        """The totals of every queue of the virtual host by name, as of now; what a quorum queue delivered, as of its last tick.
        Raises: BrokerFailed."""
        rows = self._manage(f"queues/{self._vhost_path}?disable_stats=true&enable_queue_totals=true")
        ready = {row["name"]: row.get("messages_ready", 0) for row in rows}  # One that is down says nothing.
        ready |= self._ready([row["name"] for row in rows if row.get("type") == "quorum"])
        return {row["name"]: QueueTotals(ready[row["name"]], row.get("messages_unacknowledged")) for row in rows}

    def _ready(self, queues: Sequence[str]) -> dict[str, int]:
        """What waits in queues, by name, as they themselves say now; one that is just deleted says nothing."""
        import amqp

        found: dict[str, int] = {}
        if not queues:
            return found
        try:
            with self.client() as client:
                for queue in queues:
                    with suppress(amqp.NotFound), client.channel() as channel:
                        found[queue] = channel.queue_declare(queue, passive=True).message_count
        except (NotReady, amqp.AMQPError, OSError) as error:
            raise BrokerFailed(f"the broker did not answer ({error})") from error
        return found

    def waiting(self, queue: str) -> Iterator[QueuedMessage]:
        """The messages that wait in a queue, in order. Each is fetched and put back, and is marked as redelivered by that."""
        import amqp

        try:
            with self.client() as client, client.channel() as channel:
                while (message := channel.basic_get(queue)) is not None:
                    body = message.body if isinstance(message.body, bytes) else message.body.encode()
                    yield QueuedMessage(queue, body, message.properties, message.headers or {})
        except (NotReady, amqp.AMQPError, OSError) as error:
            raise BrokerFailed(f"the broker did not answer ({error})") from error

    @property
    def _virtual_host(self) -> str:
        return unquote(urlsplit(self.url).path[1:]) or "/"

    def forget(self) -> None:
        """Its queues and messages are gone: it comes back as a new node."""
        self._own("empty").forget()

    def _wipe(self, folder: Path) -> None:
        shutil.rmtree(folder / "mnesia", ignore_errors=True)

    def fill(self) -> None:
        """The memory alarm: every connection that publishes is blocked (connection.blocked), consumers go on."""
        self._own("fill")
        self._tell("set_vm_memory_high_watermark", "0")
        self._full = True

    def clear(self) -> None:
        """The memory limit of before."""
        if self._full and not self.is_gone():
            self._tell("set_vm_memory_high_watermark", WATERMARK)
        self._full = False

    def _tell(self, *words: str) -> None:
        """`rabbitmqctl`, which takes a second or two. Raises: BrokerFailed."""
        code, said = self._own("tell").execute("rabbitmqctl", words, TOLD_WITHIN_S)
        if code != 0:
            raise BrokerFailed(f"`rabbitmqctl {' '.join(words)}` ended with code {code}", said)

    def limit_connections(self, spare: int) -> None:
        """The virtual host's `max-connections`: who comes beyond is refused with NOT_ALLOWED (530)."""
        self._own("limit")
        # A connection is listed once the node has noted it, which it does within its statistics' interval.
        open_now = len(self._manage(f"vhosts/{self._vhost_path}/connections"))
        self._manage(f"vhost-limits/{self._vhost_path}/max-connections", "PUT", {"value": open_now + spare})
        self._limited = True

    def free_connections(self) -> None:
        """The virtual host has no limit any more."""
        if self._limited and not self.is_gone():
            self._manage(f"vhost-limits/{self._vhost_path}/max-connections", "DELETE")
        self._limited = False

    def end_sessions(self, ports: Iterable[int]) -> int:
        """Closes each connection from these ports, as the management page does (CONNECTION_FORCED, 320)."""
        meant = set(ports)
        found = [one["name"] for one in self._manage(f"vhosts/{self._vhost_path}/connections") if one.get("peer_port") in meant]
        for name in found:
            self._manage(f"connections/{quote(name, safe='')}", "DELETE")
        return len(found)

    @property
    def _vhost_path(self) -> str:
        return quote(self._virtual_host, safe="")

    def _manage(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """An answer of the management plugin; None where it is empty. Raises: BrokerFailed."""
        parts = urlsplit(self.url)
        login = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        place = f"127.0.0.1:{self._management_port}"
        request = urllib.request.Request(
            f"http://{place}/api/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
                said = answer.read()
                return json.loads(said) if said else None
        except (OSError, ValueError) as error:
            raise BrokerFailed(
                f"RabbitMQ's management plugin did not answer at {place} ({error}); its queues are counted through it. "
                "Enable it with: rabbitmq-plugins enable rabbitmq_management"
            ) from error
