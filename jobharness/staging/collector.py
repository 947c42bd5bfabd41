"""Takes the records that other nodes ship, into a folder for each, as `staging.nodes.gather` reads them.

    shipper (jobharness.agent.shipper) --TCP--> folder/NODE/*.rec, *.texts, node.json

One thread a node; the clock that times are moved to is this machine's. What was taken is in its file before it is said to have
arrived, and a node that comes again goes on where it was.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import re
import socket
import socketserver
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from jobharness.agent import record
from jobharness.clock import now_ns
from jobharness.errors import CannotListen, NodeUnreadable
from jobharness.staging.copies import MOST_BYTES, Copy
from jobharness.staging.nodes import NodeFile, read_node, write_node
from jobharness.staging.offsets import Exchange

__all__ = ["Collector"]

MOST_LINE = 1 << 16
SILENT_S = 30.0
"""A connection that says nothing for so long is broken: a shipper compares clocks each second."""

_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Refused(Exception):
    """What the node is told before it is left."""


class Collector:
    """Listens while it is entered. `address`: host:port, for `JOBHARNESS_SHIP`. `token`: what a node must say; "": nothing.

    Raises: CannotListen on entering. Leaving ends all connections: a node that had not ended by then has vanished.
    """

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0, token: str = "") -> None:
        self._folder, self._asked, self._token = folder, (host, port), token
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._nodes: dict[str, bool] = {}
        self._changed = threading.Condition(self._lock)

    @property
    def address(self) -> str:
        """Where it listens. Only while it is entered."""
        assert self._server is not None
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    @property
    def nodes(self) -> dict[str, bool]:
        """The nodes that came, and whether each has ended in order."""
        with self._lock:
            return dict(self._nodes)

    def wait_until_ended(self, names: set[str], timeout_s: float) -> bool:
        """Whether all of these nodes have ended in order within `timeout_s`. Blocks."""
        with self._changed:
            return self._changed.wait_for(lambda: all(self._nodes.get(name) for name in names), timeout_s)

    def __enter__(self) -> Collector:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._server = _Server(self._asked, _Handler, self)
        except OSError as error:
            host, port = self._asked
            raise CannotListen(f"{host}:{port}", error.strerror or str(error)) from error
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()

    def greet(self, said: Any) -> tuple[Path, NodeFile]:
        """The folder of a node that says hello, and what is known of it. Raises: _Refused."""
        if not isinstance(said, dict) or not _NODE.fullmatch(str(said.get("node", ""))):
            raise _Refused("this is a collector of jobharness; a node says hello with its name: letters, digits, dots, dashes")
        if not hmac.compare_digest(str(said.get("token", "")).encode(), self._token.encode()):
            raise _Refused("the token is not this collector's; set JOBHARNESS_SHIP_TOKEN")
        if said.get("schema") != record.SCHEMA:
            raise _Refused(
                f"records of schema {said.get('schema')} are not taken here, but {record.SCHEMA}; use one version on all nodes"
            )
        name, folder = str(said["node"]), self._folder / str(said["node"])
        with contextlib.suppress(NodeUnreadable):
            known = read_node(folder)
            if known.master:
                raise _Refused(f"{name} is what the master is called; give the node another name (JOBHARNESS_NODE)")
            return folder, replace(known, host=str(said.get("host", "")), ended=False)
        return folder, NodeFile(name, str(said.get("host", "")))

    def heard_of(self, name: str, ended: bool) -> None:
        """A node came, or ended."""
        with self._changed:
            self._nodes[name] = ended
            self._changed.notify_all()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler], collector: Collector) -> None:
        self.collector = collector
        self.connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def end_connections(self) -> None:
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is a node's to mend."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = SILENT_S
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        try:
            self._take()
        except _Refused as why:
            self._say({"refused": str(why)})
        except (OSError, ValueError, KeyError, TypeError):
            return  # It broke, or speaks something else; what was taken before stays.
        finally:
            self.server.connections.discard(self.connection)

    def _take(self) -> None:
        collector = self.server.collector
        words = self._hear()
        folder, node = collector.greet(words.get("hello") if words else None)
        write_node(folder, node)
        collector.heard_of(node.name, ended=False)
        copy = Copy(folder)
        self._say({"done": copy.done})
        try:
            while (words := self._hear()) is not None:
                came_ns = now_ns()
                if "put" in words:
                    copy.put(words["put"], int(words["at"]), self._bytes(int(words["bytes"])))
                elif "done" in words:
                    copy.finish(words["done"])
                elif "clock" in words:
                    self._say({"clock": [int(words["clock"]), came_ns, now_ns()]})
                elif "exchange" in words:
                    node = node.exchanged(Exchange(*map(int, words["exchange"])))
                    write_node(folder, node)
                elif "end" in words:
                    write_node(folder, node.as_ended())
                    collector.heard_of(node.name, ended=True)
                    self._say({"ended": True})
        finally:
            copy.close()

    def _bytes(self, count: int) -> bytes:
        if not 0 <= count <= MOST_BYTES:
            raise ValueError(f"no piece of a record file has {count} bytes")
        payload = self.rfile.read(count)
        if len(payload) != count:
            raise ConnectionError("cut off within a piece")
        return payload

    def _say(self, words: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(words).encode("ascii") + b"\n")

    def _hear(self) -> dict[str, Any] | None:
        """The next line; None at the end. Raises: ValueError for what is no line of JSON."""
        line = self.rfile.readline(MOST_LINE)
        if not line:
            return None
        words = json.loads(line)
        if not isinstance(words, dict):
            raise ValueError("a line is an object")
        return words
