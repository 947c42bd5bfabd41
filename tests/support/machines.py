"""Machines for a test of several: network namespaces on one bridge, or where those are not permitted, addresses of this machine's loopback."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Machine", "machines"]

NETWORK = "10.213.77"


@dataclass(frozen=True)
class Machine:
    """One: what stands before a command that is to run on it, and its address. `apart`: whether it has a network of its own."""

    prefix: Sequence[str]
    address: str
    apart: bool


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _may_have_namespaces() -> bool:
    try:
        return subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """So many of them, which reach each other; of the first the others' network is made. Afterwards none is left."""
    if os.geteuid() != 0 or not _may_have_namespaces():
        yield [Machine((), f"127.0.0.{number + 1}", False) for number in range(count)]
        return
    names = [f"jh{os.getpid()}-{number}" for number in range(count)]
    made: list[str] = []
    try:
        for number, name in enumerate(names):
            _ip("netns", "add", name)
            made.append(name)
            _ip("-n", name, "link", "set", "lo", "up")
            if number == 0:
                _ip("-n", name, "link", "add", "wire", "type", "bridge")
                _ip("-n", name, "addr", "add", f"{NETWORK}.1/24", "dev", "wire")
                _ip("-n", name, "link", "set", "wire", "up")
                continue
            _ip("link", "add", f"to-{number}", "netns", names[0], "type", "veth", "peer", "name", "wire", "netns", name)
            _ip("-n", names[0], "link", "set", f"to-{number}", "master", "wire", "up")
            _ip("-n", name, "addr", "add", f"{NETWORK}.{number + 1}/24", "dev", "wire")
            _ip("-n", name, "link", "set", "wire", "up")
        yield [Machine(("ip", "netns", "exec", name), f"{NETWORK}.{number + 1}", True) for number, name in enumerate(names)]
    finally:
        for name in made:
            _ip("netns", "del", name)
