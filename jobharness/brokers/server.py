"""What the kinds of brokers share: one server of a run's own, or one given by URL, from start to stop.

A kind says where its server is found, how it is started and how it is asked; a `Machine` runs it, as a process of the run or in a
container.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self
from urllib.parse import urlsplit, urlunsplit

import psutil

from jobharness.brokers.broker import Provider
from jobharness.brokers.provide import Found, Offer, check_url, find, providers
from jobharness.errors import BrokerFailed, ExtraMissing, InvalidRequest
from jobharness.processes.ports import reserve
from jobharness.processes.process import Process, is_alive, wait_for
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

__all__ = ["ContainerPlan", "LocalMachine", "Machine", "NotReady", "ServerBroker"]

URL_WITHIN_S = 3.0
CONNECT_WITHIN_S = 0.5
GONE_WITHIN_S = 10.0


class NotReady(Exception):
    """A server does not answer yet; asking again may help. Its text says what was seen."""


@dataclass(frozen=True)
class ContainerPlan:
    """How a server is started from its image.

    `port`: where it listens there; `more_ports`: others there -> on this machine; `command`: None for the image's own.
    """

    port: int
    more_ports: Mapping[int, int] = field(default_factory=dict)
    command: Sequence[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Machine(Protocol):
    """Runs one server: as a process of the run, or in a container."""

    def start(self) -> None:
        """Start it, the first time or again. Returns at once."""
        ...

    @property
    def gone(self) -> bool:
        """Whether it ended."""
        ...

    @property
    def pid(self) -> int:
        """Its process id; 0 where it has none on this machine."""
        ...

    def kill(self) -> None:
        """SIGKILL all of it."""
        ...

    def quit(self) -> None:
        """Ask it to end in order; `gone` tells when it has. It can be started again."""
        ...

    def halt(self) -> None:
        """The same, and wait for it; what does not end is killed."""
        ...

    def forget(self) -> None:
        """Throw away its data, while it is gone."""
        ...

    def pause(self) -> None: ...
    def resume(self) -> None: ...

    def dispose(self) -> None:
        """Stop it for good. Safe to call twice."""
        ...

    def execute(self, tool: str, words: Sequence[str], within_s: float) -> tuple[int | None, str]:
        """Run a tool of the server, where the server runs. Returns its exit code (None: it took too long) and its last lines."""
        ...

    def log_tail(self) -> str: ...


class LocalMachine:
    """A server as a process of the run, with all that it forks."""

    def __init__(
        self,
        launch: Callable[[str, Sequence[str]], Process],
        command: Sequence[str],
        wipe: Callable[[], None],
        stop_signal: int,
        grace_s: float,
    ) -> None:
        self._launch, self._command, self._wipe = launch, command, wipe
        self._stop_signal, self._grace_s = stop_signal, grace_s
        self._process: Process | None = None
        self._family: Sequence[psutil.Process] = ()
        self._paused = False

    def start(self) -> None:
        _each(self._family, psutil.Process.kill)  # What an orderly end has left behind.
        self._process, self._family = self._launch("broker", self._command), ()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def gone(self) -> bool:
        return self._process is None or self._process.exit_code is not None

    def kill(self) -> None:
        if self._process is None:
            return
        self._freeze(self._process)
        family = self._process.children()
        self._process.signal(signal.SIGKILL)
        _each(family, psutil.Process.kill)
        self._process.wait(GONE_WITHIN_S)
        wait_for(lambda: not any(map(is_alive, family)), GONE_WITHIN_S)
        self._paused = False

    def pause(self) -> None:
        if self._process is not None:
            self._freeze(self._process)
            self._paused = True

    def _freeze(self, process: Process) -> None:
        """Stop it before its children, so that it forks no more while they are stopped."""
        process.signal(signal.SIGSTOP)
        _each(process.children(), psutil.Process.suspend)

    def resume(self) -> None:
        if self._process is not None and self._paused:
            _each(self._process.children(), psutil.Process.resume)
            self._process.signal(signal.SIGCONT)
        self._paused = False

    def quit(self) -> None:
        if self._process is not None:
            self.resume()
            self._family = self._process.children()
            self._process.signal(self._stop_signal)

    def halt(self) -> None:
        if self._process is not None:
            self.quit()
            if self._process.wait(self._grace_s) is None:
                self.kill()
            _each(self._family, psutil.Process.kill)

    def forget(self) -> None:
        self._wipe()

    def execute(self, tool: str, words: Sequence[str], within_s: float) -> tuple[int | None, str]:
        beside = Path(self._command[0]).with_name(tool)
        process = self._launch("broker-tool", [str(beside) if beside.exists() else tool, *words])
        code = process.wait(within_s)
        if code is None:
            process.stop(grace_s=0)
        return code, process.log_tail()

    def dispose(self) -> None:
        # Nobody will read its data again, so there is nothing to wait for.
        self.kill()
        self._process = None

    def log_tail(self) -> str:
        return self._process.log_tail() if self._process is not None else ""


def _each(processes: Sequence[psutil.Process], act: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        try:
            act(process)
        except psutil.NoSuchProcess:
            continue


class ServerBroker(ABC):
    """A broker that is a server on a loopback port. Its data is in the run's folder, unless it was given by URL."""

    kind: str
    package: str
    offer: ClassVar[Offer]
    schemes: ClassVar[tuple[str, ...]]
    oldest: ClassVar[tuple[int, ...]]
    default_port: ClassVar[int]
    ready_within_s: ClassVar[float] = 15.0
    stop_signal: ClassVar[int] = signal.SIGTERM
    grace_s: ClassVar[float] = 20.0
    speaks_tls: ClassVar[bool] = False  # Whether one that is started here can be reached by TLS alone.

    def __init__(self, spec: BrokerSpec) -> None:
        if importlib.util.find_spec(self.package) is None:
            raise ExtraMissing(self.package, self.kind, f"the broker kind {self.kind!r}")
        self._spec = spec
        self._machine: Machine | None = None
        self._version = ""
        self._found: Found | None = None
        self._port = 0
        self._revived_at_s = 0.0
        if spec.tls and not self.speaks_tls:
            raise InvalidRequest(f"broker.tls: a server of the kind {self.kind!r} is not started with TLS here; leave it out")
        if spec.url is not None:
            check_url(spec.url, self.schemes, spec.hosts)
        else:
            self._port = reserve(spec.port)

    @abstractmethod
    def _address(self, port: int) -> str:
        """The URL of a server of ours on that port."""

    def _prepare(self, binary: str, folder: Path, site: Site) -> None:
        """Make the data folder fit for a first start, where that takes more than an empty folder. Raises: BrokerFailed."""
        return

    @abstractmethod
    def _command(self, binary: str, folder: Path) -> Sequence[str]:
        """The command that runs the server in the foreground."""

    def _environment(self, folder: Path) -> Mapping[str, str]:
        """Further environment variables of the server."""
        return {}

    @abstractmethod
    def _container(self) -> ContainerPlan:
        """How the server is started from its image."""

    @abstractmethod
    def _ask_version(self) -> str:
        """The version that the server answers. Raises: NotReady to be asked again, BrokerFailed when that would not help."""

    @abstractmethod
    def client(self) -> Any:
        """A new client of the server's own protocol. Raises: BrokerFailed."""

    @classmethod
    def providers(cls) -> Iterator[Provider]:
        """Every way such a server can be had here, in the order in which they are tried. Starts nothing."""
        return providers(cls.offer)

    @property
    def url(self) -> str:
        """Its address."""
        return self._spec.url or self._address(self._port)

    @property
    def _place(self) -> tuple[str, int]:
        """Host and port of the address."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or self.default_port

    @property
    def _where(self) -> str:
        """The address without anything secret."""
        return "{}:{}".format(*self._place)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self._place[0] else socket.AF_INET) as probe:
            probe.settimeout(CONNECT_WITHIN_S)
            return probe.connect_ex(self._place) == 0

    @property
    def version(self) -> str:
        """The server's version, known after `start`."""
        return self._version

    @property
    def provider(self) -> str:
        """How it was had, for the report."""
        if not self._version:
            return "not started"
        return f"{self.kind} {self._version} ({self._found or 'given by URL'})"

    def start(self, site: Site) -> None:
        """Start the server and wait until it answers. Raises: BrokerFailed."""
        try:
            if self._spec.url is None:
                self._found = find(self.offer, self._spec)
                self._machine = self._make_machine(self._found, site)
                self._machine.start()
            self._version = self._await_answer()
            self._check_age()
        except BaseException:
            self.stop()
            raise

    def _make_machine(self, found: Found, site: Site) -> Machine:
        if found.provider == "container":
            from jobharness.brokers.container import ContainerMachine

            return ContainerMachine(found.place, self._container(), self._port, site.mark)
        folder = site.data / self.kind
        folder.mkdir(parents=True, exist_ok=True)
        self._prepare(found.place, folder, site)

        def launch(name: str, command: Sequence[str]) -> Process:
            return site.start(name, command, folder, self._environment(folder))

        command = self._command(found.place, folder)
        return LocalMachine(launch, command, lambda: self._wipe(folder), self.stop_signal, self.grace_s)

    def _wipe(self, folder: Path) -> None:
        """Throw away what the server stored in its data folder."""
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _await_answer(self) -> str:
        """The server's version, once it answers. Raises: BrokerFailed when it is gone, says no, or takes too long."""
        within_s = self.ready_within_s if self._machine is not None else URL_WITHIN_S
        answer: list[str] = []
        reason = ["nothing listens there"]

        def answers() -> bool:
            if self._machine is not None and self._machine.gone:
                return True
            if not self._listens():
                return False
            try:
                answer.append(self._ask_version())
            except NotReady as not_yet:
                reason[0] = str(not_yet)
            return bool(answer)

        wait_for(answers, within_s)
        if answer:
            return answer[0]
        machine, place = self._machine, self._where
        if machine is None:
            raise BrokerFailed(
                f"no {self.kind} server answers at {place} ({reason[0]}); check broker.url, or leave it out to have one started"
            )
        how = "ended at its start" if machine.gone else f"did not answer within {within_s:g} s ({reason[0]})"
        raise BrokerFailed(f"the {self.kind} server at {place} ({self._found}) {how}", machine.log_tail())

    def _check_age(self) -> None:
        if _numbers(self._version) < self.oldest:
            oldest = ".".join(map(str, self.oldest))
            raise BrokerFailed(
                f"the {self.kind} server at {self._where} is version {self._version}; jobharness needs {oldest} or newer"
            )

    def is_ready(self) -> bool:
        """Whether it answers now."""
        if not self._listens():
            return False
        try:
            return bool(self._ask_version())
        except (NotReady, BrokerFailed):
            return False

    def _roommate(self: Self, path: str) -> Self:
        """A broker for another database of the same server: its address with another path."""
        other = type(self)(self._spec.model_copy(update={"url": urlunsplit(urlsplit(self.url)._replace(path=path))}))
        other._version, other._found = self._version, self._found
        return other

    def kill(self) -> None:
        """SIGKILL all of it. Raises: InvalidRequest where it was given by URL."""
        self._own("kill").kill()

    def restart(self) -> None:
        """Start it again on the same data and port, after an orderly stop if it runs, and wait until it answers.

        Raises: BrokerFailed.
        """
        machine = self._own("restart")
        if not machine.gone:
            machine.halt()
        machine.start()
        self._await_answer()

    def quit(self) -> None:
        """Ask it to end in order; returns at once. Raises: InvalidRequest where it was given by URL."""
        self._own("stop").quit()

    def is_gone(self) -> bool:
        """Whether its process has ended."""
        return self._machine is None or self._machine.gone

    def revive(self) -> None:
        """Start it again on the same data and port; returns at once."""
        self._own("restart").start()
        self._revived_at_s = time.monotonic()

    def is_back(self) -> bool:
        """Whether it answers again. Raises: BrokerFailed when it ended at its start, or takes too long."""
        machine = self._own("restart")
        if self.is_ready():
            return True
        took_s = time.monotonic() - self._revived_at_s
        if machine.gone or took_s > self.ready_within_s:
            how = "ended at its restart" if machine.gone else f"did not answer within {self.ready_within_s:g} s of its restart"
            raise BrokerFailed(f"the {self.kind} server at {self._where} {how}", machine.log_tail())
        return False

    @property
    def pid(self) -> int:
        """The process id of its server; 0 where it was not started here, or runs in a container."""
        return self._machine.pid if self._machine is not None else 0

    def pause(self) -> None:
        """Make it hang. Raises: InvalidRequest where it was given by URL."""
        self._own("pause").pause()

    def resume(self) -> None:
        """Let it go on."""
        if self._machine is not None:
            self._machine.resume()

    def _own(self, verb: str) -> Machine:
        if self._spec.url is not None:
            raise InvalidRequest(
                f"the broker at {self._where} was given by URL, and jobharness does not {verb} what it did not start; "
                "leave `url` out to have a server started"
            )
        if self._machine is None:
            raise BrokerFailed(f"there is no {self.kind} server to {verb}: it was not started")
        return self._machine

    def stop(self) -> None:
        """End the server that was started here. Safe to call twice."""
        if self._machine is not None:
            self._machine.dispose()


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (16, 4) of "16.4 (Debian 16.4-1)"."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in leading.group().split(".")) if leading is not None else ()
