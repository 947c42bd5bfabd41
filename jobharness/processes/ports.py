"""Loopback ports."""

from __future__ import annotations

import socket
from random import SystemRandom

import psutil

from jobharness.errors import PortTaken

__all__ = ["free_port", "is_open", "reserve"]


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now. Another process may take it before its user does.

    Chosen at random below the range from which the kernel serves outgoing connections (32768 and up on Linux): one of those could
    take the port in the meantime. It belongs to no seed: two runs side by side must differ.
    """
    choice = SystemRandom()
    while True:
        port = choice.randrange(10_000, 32_768)
        if _can_bind(port):
            return port


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reserve(port: int | None) -> int:
    """The wished port if it is free, or any free one where there is no wish.

    Raises: PortTaken with who holds it, where that can be seen.
    """
    if port is None:
        return free_port()
    if not _can_bind(port):
        raise PortTaken(port, _holder(port))
    return port


def is_open(port: int, timeout_s: float = 0.2) -> bool:
    """Whether something accepts connections on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.settimeout(timeout_s)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
