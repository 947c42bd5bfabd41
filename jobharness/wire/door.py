"""The port of one process of the app: open, or shut, so that connections are refused by the kernel as those to a dead server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

__all__ = ["Door"]


class Door:
    """One port on loopback. `accept` makes the protocol of each connection; `tls`: what a secure one is opened with."""

    def __init__(self, accept: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> None:
        self._accept, self._tls = accept, tls
        self._server: asyncio.Server | None = None
        self._keeper: socket.socket | None = None  # Bound and not listening: nobody else gets the port while it is shut.
        self._shut_by: set[str] = set()
        self.port = 0

    async def open(self) -> None:
        """Listen, on a free port the first time."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self, label: str) -> None:
        """Listen no longer, until this label and every other that shut it is lifted."""
        self._shut_by.add(label)
        if self._server is not None:
            self._server.close()
            self._server = None
            self._keeper = socket.socket()
            self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._keeper.bind(("127.0.0.1", self.port))

    async def lift(self, label: str) -> None:
        """What a label shut is open again, unless another keeps it shut. Safe to call twice."""
        if label in self._shut_by:
            self._shut_by.discard(label)
            if not self._shut_by:
                await self.open()
