"""`jobharness scenarios`: what there is to run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from jobharness.cli.run import scenario_files
from jobharness.errors import ScenarioInvalid
from jobharness.report.terminal import show, shown_path
from jobharness.runner.rehearsal import when
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import FaultSpec, Scenario

__all__ = ["list_scenarios"]


def list_scenarios(paths: list[Path]) -> int:
    """A few lines for each scenario; those that cannot be used are named last. Starts nothing.

    Returns: 0, or 2 when one cannot be used.
    """
    console = Console(highlight=False)
    mistakes = []
    for file in scenario_files(paths):
        try:
            show(console, _entry(file, load_scenario(file)))
        except ScenarioInvalid as error:
            mistakes.append(error)
    for mistake in mistakes:
        console.print(Text.assemble(("error: ", "bold red"), str(mistake)), soft_wrap=True)
    return 2 if mistakes else 0


def _entry(file: Path, scenario: Scenario) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for overflow in ("ellipsis", "ellipsis", "fold"):
        grid.add_column(no_wrap=overflow == "ellipsis")
    faults = "; ".join(_fault(fault) for fault in scenario.fault) or "none"
    grid.add_row("", "queue", Text(f"{scenario.queue.adapter}, {_counted(scenario.queue.workers)}"))
    grid.add_row("", "broker", Text(scenario.broker.kind))
    grid.add_row("", "faults", Text(faults))
    if scenario.known_gap:
        grid.add_row("", "known gap", Text(scenario.known_gap))
    return Group(Text(shown_path(file), "bold"), Text(f"  {scenario.title}"), grid)


def _counted(workers: int) -> str:
    return f"{workers} worker" + ("" if workers == 1 else "s")


def _fault(fault: FaultSpec) -> str:
    target = fault.details.get("target", "")
    trigger = f"on {fault.on}" if fault.on else when(fault)
    times = f" x{fault.times}" if fault.times != 1 else ""
    return " ".join(filter(None, (fault.kind, str(target), trigger))) + times
