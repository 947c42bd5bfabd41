"""A Redis server for a test that needs no run."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobharness.processes.ports import is_open
from jobharness.processes.process import wait_for

__all__ = ["redis_server"]


@contextmanager
def redis_server(folder: Path, port: int) -> Iterator[str]:
    """The URL of a server on loopback, from PATH or the wheel; nothing of it is kept."""
    path = shutil.which("redis-server") or str(Path(sys.executable).with_name("redis-server"))
    command = [path, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: is_open(port), 15)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()
