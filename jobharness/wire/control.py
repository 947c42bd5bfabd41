"""The harness's side of the proxy: starts it, and asks it one thing at a time."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from jobharness.errors import JobharnessBug, ProcessFailed
from jobharness.processes.process import Process
from jobharness.processes.site import Site

__all__ = ["Wire"]

ANSWERS_WITHIN_S = 10.0


class Wire:
    """A proxy in front of the broker at `url`. Not for two threads at once.

    Args: `url` with its port; `framing`: a name of `framing.FRAMINGS`, or None to pass bytes on unread; `gated`: only
    whole messages pass, which step faults need; `peer`, `first`, `chain`: see `proxy.Proxy`.
    """

    def __init__(
        self, url: str, framing: str | None, gated: bool, peer: str = "", first: int = 0, chain: Path | None = None
    ) -> None:
        self._url, self.framing, self._name = url, framing, f"wire-{peer}" if peer else "wire"
        parts = urlsplit(url)
        self._config = {"host": parts.hostname, "port": parts.port, "framing": framing, "gated": gated}
        self._config |= {"peer": peer, "first": first, "chain": str(chain or "")}
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._ports: dict[tuple[str, bool], int] = {}
        self._unread = b""

    def start(self, site: Site, start: Callable[..., Process] = Process) -> None:
        """Start the process. Raises: ProcessFailed when it does not come up."""
        ours, theirs = socket.socketpair()
        ours.settimeout(ANSWERS_WITHIN_S)
        config = json.dumps({**self._config, "records": str(site.records)})
        command = [sys.executable, "-m", "jobharness.wire.proxy", str(theirs.fileno()), config]
        with theirs:
            log = site.logs / f"{self._name}.log"
            keep = [theirs.fileno()]
            self._process = start(self._name, command, env=site.env, folder=site.data, log=log, mark=site.mark, keep=keep)
        self._control = ours

    def listen(self, name: str, secure: bool = False) -> int:
        """The port through which a process of the app, by its name, reaches the broker; `secure`: by TLS, which ends there."""
        if (name, secure) not in self._ports:
            self._ports[name, secure] = int(self.ask("listen", name=name, secure=secure)["port"])
        return self._ports[name, secure]

    def url_for(self, name: str) -> str:
        """The broker's address as a process of the app is to use it."""
        parts = urlsplit(self._url)
        user = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user[0]}{user[1]}127.0.0.1:{self.listen(name)}"))

    @property
    def names(self) -> list[str]:
        """Whose traffic passes through it."""
        return list(dict.fromkeys(name for name, _ in self._ports))

    def ports(self, name: str) -> list[int]:
        """Where the broker sees the connections of a process of the app come from; none for a name that it does not know."""
        return list(self.ask("ports", name=name)["ports"]) if name in self.names else []

    def arm(
        self,
        label: str,
        match: str | Mapping[str, Any],
        act: str,
        times: int | None = 1,
        by_s: float = 0.0,
        reset: bool = False,
    ) -> None:
        """Arm a step fault, see `steps`; `match`: as a scenario writes it, or the fields of a `match.Match`."""
        self.ask(
            "arm",
            label=label,
            match=match if isinstance(match, str) else dict(match),
            act=act,
            times=times,
            by_s=by_s,
            reset=reset,
        )

    def disarm(self, label: str) -> int:
        """Take a step fault away; what it holds goes on. Returns how often it struck."""
        return int(self._ask_if_there("disarm", label=label).get("struck", 0))

    def release(self, label: str, forward: bool, dead: Sequence[int] | None = None) -> None:
        """Let go on what a step holds (`forward`), or drop it with the connections of the process, which is dead; with `dead`,
        with these connections alone."""
        self._ask_if_there("release", label=label, forward=forward, dead=list(dead) if dead is not None else None)

    def peers(self, name: str) -> dict[int, int]:
        """The port of the app's end of each connection of a process, by the connection's number; none for a name that it does not
        know."""
        if name not in self.names:
            return {}
        ports: dict[str, int] = self.ask("peers", name=name)["ports"]
        return {int(number): port for number, port in ports.items()}

    def lay(
        self,
        label: str,
        kind: str,
        names: list[str],
        ways: str,
        share: float,
        first: int | None,
        seed: str,
        details: dict[str, Any],
    ) -> int:
        """Disturb connections, see `disturbances`. Returns how many there were."""
        asked = {"label": label, "kind": kind, "names": names, "ways": ways, "share": share, "first": first}
        return int(self.ask("lay", **asked, seed=seed, details=details)["connections"])

    def lift(self, label: str) -> None:
        """End a disturbance. Safe to call twice."""
        self._ask_if_there("lift", label=label)

    def transcribe(self, on: bool) -> None:
        """Record every message as an event, or no longer."""
        self.ask("transcribe", on=on)

    def await_job(self) -> None:
        """Keep what the broker says to workers until the first job is known."""
        self.ask("await_job")

    def check(self) -> None:
        """Raises: ProcessFailed if the proxy has ended by itself."""
        if self._process is not None and self._process.exit_code is not None:
            raise ProcessFailed(self._name, f"ended with code {self._process.exit_code}", self._process.log_tail())

    def _ask_if_there(self, verb: str, **details: Any) -> dict[str, Any]:
        """For what undoes: a proxy that is gone has nothing to undo."""
        if self._process is None or self._process.exit_code is not None:
            return {}
        return self.ask(verb, **details)

    def ask(self, verb: str, **details: Any) -> dict[str, Any]:
        """One question, one answer. Blocks up to 10 s. Raises: ProcessFailed when the proxy does not answer."""
        assert self._process is not None and self._control is not None
        try:
            self._control.sendall(json.dumps({"do": verb, **details}).encode() + b"\n")
            while b"\n" not in self._unread:
                piece = self._control.recv(65536)
                if not piece:
                    raise ConnectionResetError("it is gone")
                self._unread += piece
        except OSError as error:
            raise ProcessFailed(self._name, f"did not answer to {verb!r} ({error})", self._process.log_tail()) from error
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise JobharnessBug(f"the proxy refused: {answer['error']}")
        return answer

    def stop(self) -> None:
        """End the proxy; every connection through it closes. Safe to call twice."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.stop(grace_s=2)
            self._process = None
