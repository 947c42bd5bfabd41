"""`jobharness scenarios`: what there is to run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobharness.cli.run import scenario_files
from jobharness.errors import ScenarioInvalid
from jobharness.report.terminal import shown_path
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import FaultSpec, Scenario

__all__ = ["list_scenarios"]


def list_scenarios(paths: list[Path]) -> int:
    """A row for each scenario; those that cannot be used are named below. Starts nothing.

    Returns: 0, or 2 when one cannot be used.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("scenario", "title", "queue", "broker", "faults", "known gap"):
        table.add_column(heading, overflow="fold")
    mistakes = []
    for file in scenario_files(paths):
        try:
            table.add_row(*_row(file, load_scenario(file)))
        except ScenarioInvalid as error:
            mistakes.append(error)
    console = Console(highlight=False)
    if table.row_count:
        console.print(table)
    for mistake in mistakes:
        console.print(Text.assemble(("error: ", "bold red"), str(mistake)), soft_wrap=True)
    return 2 if mistakes else 0


def _row(file: Path, scenario: Scenario) -> list[Text]:
    faults = "; ".join(_fault(fault) for fault in scenario.fault) or "none"
    cells = (shown_path(file), scenario.title, scenario.queue.adapter, scenario.broker.kind, faults, scenario.known_gap or "")
    return [Text(cell) for cell in cells]


def _fault(fault: FaultSpec) -> str:
    target = fault.details.get("target", "")
    trigger = f"on {fault.on}" if fault.on else f"at {fault.at:g} s" if fault.at is not None else f"every {fault.every:g} s"
    times = f" x{fault.times}" if fault.times > 1 else ""
    return " ".join(filter(None, (fault.kind, str(target), trigger))) + times
