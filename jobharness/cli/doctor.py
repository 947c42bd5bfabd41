"""`jobharness doctor`: what is on this machine, and the exact command that installs what is missing.

Everything is a row: what, whether it is there, what was found, and what to do. A queue on a broker is a row like any other.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

import jobharness
from jobharness.catalog import BROKERS, QUEUES, broker_kind, names, queue_kind
from jobharness.integrations.programs import PROGRAMS
from jobharness.report.terminal import show
from jobharness.upstream.server import PACKAGES

__all__ = ["Row", "examine", "rows"]

State = Literal["ready", "missing", "optional"]
STYLES = {"ready": "green", "missing": "bold red", "optional": "yellow"}
DOCKER_WITHIN_S = 10.0


@dataclass(frozen=True)
class Row:
    """One line. `state`: "optional" is not there and not needed, because something else does. `fix`: a command, "" where nothing
    is to do."""

    section: str
    what: str
    state: State
    found: str
    fix: str = ""


def examine() -> int:
    """Print every row. Returns 0 when at least one queue runs on at least one broker here, else 3."""
    found = list(rows())
    console = Console(highlight=False)
    for section in dict.fromkeys(row.section for row in found):
        show(console, Text(section, "bold"))
        table = Table.grid(padding=(0, 2))
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in (row for row in found if row.section == section):
            fix = Text(f"  -> {row.fix}", "cyan") if row.fix else Text()
            table.add_row(Text(" "), Text(row.what), Text(row.state, STYLES[row.state]), Text.assemble(row.found, fix))
        show(console, table)
    return 0 if any(row.section == PAIRS and row.state == "ready" for row in found) else 3


PAIRS = "What can be run here"


def rows() -> Iterator[Row]:
    """Every row, the pairs of queue and broker last: they follow from the others."""
    yield from _base()
    brokers = {name: list(_providers(name)) for name in names("brokers", BROKERS)}
    for found in brokers.values():
        yield from found
    yield from (_library(name) for name in names("queues", QUEUES))
    yield _docker()
    yield from _monitoring()
    for queue in names("queues", QUEUES):
        for broker in queue_kind(queue).brokers:
            yield _pair(queue, broker, brokers.get(broker, []))


def _base() -> Iterator[Row]:
    yield Row("jobharness", "jobharness", "ready", jobharness.__version__)
    yield Row("jobharness", "Python", "ready", f"{platform.python_version()} ({platform.machine()} {platform.system()})")
    registered = any(entry.value == "jobharness.pytest_plugin" for entry in entry_points(group="pytest11"))
    fix = "" if registered else "pip install --force-reinstall jobharness"
    yield Row("jobharness", "pytest plugin", "ready" if registered else "missing", f"pytest {version('pytest')}", fix)
    upstream = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if upstream:
        yield Row(
            "jobharness", "[upstream]", "missing", f"{', '.join(upstream)} not installed", "pip install 'jobharness[upstream]'"
        )
    else:
        yield Row("jobharness", "[upstream]", "ready", f"uvicorn {version('uvicorn')}, uvloop {version('uvloop')}")


def _providers(name: str) -> Iterator[Row]:
    """The ways a kind of broker can be had here. One that is missing is optional as soon as another one does."""
    providers = list(broker_kind(name).providers())
    some = any(provider.found for provider in providers)
    for provider in providers:
        state: State = "ready" if provider.found else "optional" if some else "missing"
        yield Row(
            f"Broker {name}", provider.name, state, provider.found or "not found", "" if provider.found else provider.install
        )


def _library(name: str) -> Row:
    library = queue_kind(name).library
    if getattr(queue_kind(name), "own_code", False):
        return Row("Queue libraries", name, "ready", "a queue of your own: nothing to install")
    try:
        return Row("Queue libraries", name, "ready", f"{library} {version(library)}")
    except PackageNotFoundError:
        return Row("Queue libraries", name, "missing", "not installed", f"pip install 'jobharness[{name}]'")


def _docker() -> Row:
    path = shutil.which("docker")
    if path is None:
        return Row("Containers", "Docker", "optional", "not found", "https://docs.docker.com/engine/install/")
    try:
        command = [path, "version", "--format", "{{.Server.Version}}"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=DOCKER_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Row("Containers", "Docker", "optional", f"{path} does not answer")
    if answer.returncode:
        return Row("Containers", "Docker", "optional", f"{path} is there, its server is not running", "systemctl start docker")
    return Row("Containers", "Docker", "ready", f"server {answer.stdout.strip()}")


def _monitoring() -> Iterator[Row]:
    """What a scenario with alarms needs."""
    for program in PROGRAMS:
        path = program.path
        yield Row("Alarms", program.name, "ready" if path else "optional", path or "not found", "" if path else program.install)


def _pair(queue: str, broker: str, providers: list[Row]) -> Row:
    """Whether a queue runs on a broker here, and what is still to do before it does."""
    needs = [_library(queue)]
    if not any(row.state == "ready" for row in providers):
        needs += [row for row in providers if row.fix][:1]
    fixes = [row.fix for row in needs if row.state == "missing"]
    if importlib.util.find_spec(broker_kind(broker).package) is None:
        fixes.append(f"pip install 'jobharness[{broker}]'")
    what = f"{queue} on {broker}"
    if fixes:
        return Row(PAIRS, what, "missing", f"{len(fixes)} to install", " && ".join(dict.fromkeys(fixes)))
    return Row(PAIRS, what, "ready", next(row.found for row in providers if row.state == "ready"))
