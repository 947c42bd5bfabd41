"""What the demo takes, and how large any of its processes gets."""

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]


def family(process):
    """A process with all its descendants; empty once it is gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def resident_mb(process):
    """`(command, MB)` of a process, as far as it lives."""
    try:
        with process.oneshot():
            return " ".join(process.cmdline()[:6])[-80:], process.memory_info().rss / 1e6
    except psutil.Error:
        return "", 0.0


def test_demo_is_quick_and_its_processes_are_small(figure, tmp_path):
    """After set-up: the environment is there, as after a first `make demo`."""
    log = tmp_path / "demo.log"
    started = time.perf_counter()
    with log.open("wb") as out:
        demo = subprocess.Popen(
            ["make", "demo"], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "PYTEST_ADDOPTS": ""}
        )
        top, largest = psutil.Process(demo.pid), ("", 0.0)
        while demo.poll() is None:
            largest = max([largest, *map(resident_mb, family(top))], key=lambda seen: seen[1])
            try:
                demo.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    taken_s = time.perf_counter() - started
    if demo.returncode:
        pytest.fail(f"make demo ended with {demo.returncode}:\n{log.read_text(errors='replace')[-3000:]}")
    figure("`make demo` after set-up", taken_s, 90.0, "s", "one run")
    figure(
        "largest process of the demo", largest[1], 300.0, "MB", f"resident memory, looked at five times a second: `{largest[0]}`"
    )
