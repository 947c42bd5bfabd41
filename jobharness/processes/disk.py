"""A file system of a size of its own, which can be made full and free again: a tmpfs, mounted for one run.

It takes the right to mount: root's, or that of a user namespace (`unshare --map-root-user --mount`). Its source carries the run's
mark, by which the guardian finds and unmounts it, however the harness ended.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from jobharness.errors import EnvironmentFailed

__all__ = ["LimitedDisk", "may_mount", "unmount_marked"]

CAP_SYS_ADMIN = 21
MS_NOSUID, MS_NODEV, MS_REMOUNT = 2, 4, 32
MNT_DETACH = 2
MOUNTS = Path("/proc/self/mountinfo")
PROBE = ".jobharness-full"
BLOCK = 4096
FIRST_ROOM = 2**20


def may_mount() -> bool:
    """Whether this process may mount file systems: on Linux, with the capability for it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


def unmount_marked(mark: str) -> list[str]:
    """Unmount every file system that carries the mark; returns where they were. Nothing happens where there is none."""
    if not MOUNTS.exists():
        return []
    found = [line.split() for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()]
    places = [words[4] for words in found if _source(mark) in words]
    for place in places:
        _libc().umount2(os.fsencode(place.encode().decode("unicode_escape")), MNT_DETACH)
    return places


class LimitedDisk:
    """One such file system at `folder`, which is made. Not for two threads at once. Args: its size, and the run's mark.

    Raises: EnvironmentFailed when it cannot be mounted.
    """

    def __init__(self, folder: Path, size_bytes: int, mark: str) -> None:
        self.folder, self._size_bytes, self._mark = folder, size_bytes, mark
        self._full = False
        folder.mkdir(parents=True)
        self._check(self._mount(0, size_bytes), size_bytes)

    @property
    def used_bytes(self) -> int:
        """How much is in it."""
        stat = os.statvfs(self.folder)
        return (stat.f_blocks - stat.f_bfree) * stat.f_frsize

    def fill(self) -> None:
        """From now on it takes nothing more: it is as large as what is in it. Safe to call twice.

        Raises: EnvironmentFailed when it still takes something.
        """
        self._full, room = True, 0
        # A file may grow before the size is set, and a size that is less than what is in it is refused: then with some room to
        # spare, which `_takes_nothing` uses up.
        while (refused := self._resize(max(BLOCK, self.used_bytes + room))) == errno.EINVAL and room < self._size_bytes:
            room = max(2 * room, FIRST_ROOM)
        self._check(refused, self.used_bytes)
        if not self._takes_nothing():
            raise EnvironmentFailed(f"the disk {self.folder} was made full and still takes data")

    def _takes_nothing(self) -> bool:
        """What is used may have grown or shrunk a moment ago: the last pages are taken by ourselves."""
        probe = self.folder / PROBE
        try:
            with probe.open("ab", buffering=0) as file:
                while True:
                    file.write(bytes(BLOCK))
        except OSError as error:
            return error.errno == errno.ENOSPC

    def free(self) -> None:
        """Let it take data again, up to its size. Safe to call twice."""
        if self._full:
            self._check(self._resize(self._size_bytes), self._size_bytes)
            (self.folder / PROBE).unlink(missing_ok=True)
            self._full = False

    def unmount(self) -> None:
        """Take it away with all that is in it. Safe to call twice."""
        unmount_marked(self._mark)

    def _resize(self, size_bytes: int) -> int:
        return self._mount(MS_REMOUNT, size_bytes)

    def _mount(self, flags: int, size_bytes: int) -> int:
        """Returns 0, or why it was refused, as an `errno`."""
        options = f"size={size_bytes},mode=0755".encode()
        done = _libc().mount(
            _source(self._mark).encode(), os.fsencode(self.folder), b"tmpfs", flags | MS_NOSUID | MS_NODEV, options
        )
        return ctypes.get_errno() if done != 0 else 0

    def _check(self, refused: int, size_bytes: int) -> None:
        if refused:
            problem = os.strerror(refused)
            raise EnvironmentFailed(f"a file system of {size_bytes} bytes could not be mounted at {self.folder} ({problem})")


def _source(mark: str) -> str:
    return f"jobharness-{mark}"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
