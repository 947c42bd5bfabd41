"""`jobharness collect`, `observe` and `merge`: what several nodes recorded, taken, and judged as one history."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Contract, Word, judge
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.errors import InvalidRequest
from jobharness.history import log
from jobharness.report.terminal import findings_table, nodes_table, show, shown_path
from jobharness.runner.guard import Guard
from jobharness.runner.result import EXIT_BROKEN, EXIT_NO_VERDICT, EXIT_PASSED
from jobharness.staging.collector import Collector
from jobharness.staging.nodes import NodeFile, gather, write_node

__all__ = ["collect_records", "merge_nodes", "observe_results"]

MASTER = "collector"
USUAL: tuple[Contract, ...] = (AtLeastOnce(), AtMostOnce(), NoPhantoms(), Lease())


def collect_records(folder: Path, host: str, port: int, scenario: Path | None) -> int:
    """Listen until Ctrl-C or SIGTERM, and say who came. This machine's clock is the one that the others' times are moved to.

    Raises: InvalidRequest, CannotListen.
    """
    _guard(scenario).check_url("--host", host)
    token = os.environ.get("JOBHARNESS_SHIP_TOKEN", "")
    with Collector(folder, host, port, token) as collector:
        # A master of which nothing need be told: its clock is the collector's.
        write_node(folder / MASTER, NodeFile.here(MASTER, master=True).as_ended())
        sys.stdout.write(f"listening; on the other nodes: JOBHARNESS_SHIP={collector.address}  (Ctrl-C ends it)\n")
        sys.stdout.flush()
        _wait_until_stopped()
        for name, ended in sorted(collector.nodes.items()):
            sys.stdout.write(f"{name}: {'whole' if ended else 'still recording, or gone'}\n")
    sys.stdout.write(f"jobharness merge {shown_path(folder)}\n")
    return EXIT_PASSED


def observe_results(folder: Path, url: str, scenario: Path | None) -> int:
    """Look at the results until Ctrl-C or SIGTERM. Raises: InvalidRequest, BrokerFailed."""
    _guard(scenario).check_url("--results", url)
    from jobharness.queues.celery_results import CeleryResults
    from jobharness.staging.outside import Outside

    results = CeleryResults(url)
    with Outside(folder, results):
        sys.stdout.write("observing; results that are there already do not count  (Ctrl-C ends it)\n")
        sys.stdout.flush()
        _wait_until_stopped()
    results.close()
    sys.stdout.write(f"jobharness merge {shown_path(folder)}\n")
    return EXIT_PASSED


def _guard(scenario: Path | None) -> Guard:
    """That of a scenario; without one, nothing outside this machine is allowed, nor what looks like production."""
    from jobharness.scenario.load import load_scenario
    from jobharness.scenario.model import Scenario

    if scenario is None:
        nothing: dict[str, Any] = {}  # What a scenario allows has defaults, and they allow nothing.
        return Guard(Scenario.model_construct(**nothing), "no --scenario is given that allows it")
    return Guard(load_scenario(scenario), str(scenario))


def _wait_until_stopped() -> None:
    """Until Ctrl-C, or a process manager's SIGTERM: both are an orderly end."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


def merge_nodes(folder: Path, scenario: Path | None, out: Path | None) -> int:
    """Merge, save, judge, print. Raises: InvalidRequest, ClocksUnknown; nothing is written then."""
    if out is not None and out.suffix != ".parquet":
        raise InvalidRequest(f"--out: {out} does not end in .parquet, and a history is kept as Parquet")
    contracts = _contracts(scenario) if scenario is not None else USUAL
    history = gather(folder)
    kept = out if out is not None else folder / "history.parquet"
    log.save(history, kept)
    verdict = judge(history, contracts)
    vanished = [node.name for node in history.nodes if node.vanished]
    word = verdict.word
    if word is Word.HOLDS and vanished:
        word = Word.UNKNOWN
    headline = [
        f"{str(word).upper()}: {verdict.findings[0].sentence if verdict.word is not Word.HOLDS else 'everything asked for held'}."
    ]
    if vanished:
        headline.append(f"{', '.join(vanished)} vanished: its last events may be missing, and this is not a pass.")
    parts: list[RenderableType] = [
        Text("\n".join(headline)),
        Text(),
        findings_table(verdict),
        Text(),
        nodes_table(history),
        Text(),
    ]
    parts.append(Text(f"history  {shown_path(kept)}"))
    show(Console(), Group(*parts))
    return {Word.BROKEN: EXIT_BROKEN, Word.HOLDS: EXIT_PASSED}.get(word, EXIT_NO_VERDICT)


def _contracts(scenario: Path) -> tuple[Contract, ...]:
    from jobharness.catalog import assemble
    from jobharness.scenario.load import load_scenario

    return assemble(load_scenario(scenario), Path.cwd(), scenario).contracts
