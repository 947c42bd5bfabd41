"""Which processes a run has left behind, seen from outside: by what they carry, and not by what the harness knows of them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["leftovers", "mounts_in", "stopped"]


def leftovers(words: str) -> list[str]:
    """The living processes that have anything to do with these words, but for the caller, each as `pid command`.

    Looks at environment, command line, working folder and open files, since a server may rewrite any one of them: Redis writes its
    title over its environment. Reads /proc itself, so that it shares nothing with the guardian it checks. A zombie runs no code
    and does not count.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            state = (folder / "stat").read_bytes().rpartition(b")")[2].split()[0]
            links = [folder / "cwd", *(folder / "fd").iterdir()]
            seen = b"\n".join([command, (folder / "environ").read_bytes(), *_places(links)])
        except (OSError, IndexError):
            continue  # Gone in the meantime.
        if words.encode() in seen and state not in (b"Z", b"X"):
            found.append(f"{folder.name} {command.replace(bytes(1), b' ').decode(errors='replace')}")
    return found


def _places(links: Iterable[Path]) -> Iterator[bytes]:
    """Where the links lead, but for those that are gone: a process may close a file while it is looked at, and lives on."""
    for link in links:
        with suppress(OSError):
            yield bytes(link.readlink())


def mounts_in(folder: Path) -> list[str]:
    """Where file systems are mounted below a folder."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return [place for place in places if place.startswith(str(folder))]


def stopped(words: str) -> list[str]:
    """Those of the leftovers that are stopped (SIGSTOP), as `pid command`."""
    return [line for line in leftovers(words) if _state(line.split()[0]) == b"T"]


def _state(pid: str) -> bytes:
    try:
        return (Path("/proc") / pid / "stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return b""
