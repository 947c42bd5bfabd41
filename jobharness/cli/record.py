"""`jobharness record`: its subcommands. What they do stands in `jobharness.cli.recording`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobharness.cli.ending import ended

__all__ = ["record"]

record = typer.Typer(
    help="Record a trace of a running system, to be replayed by `[workload] trace`.", no_args_is_help=True, rich_markup_mode=None
)

Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The trace: .csv, .jsonl or .parquet.")]
Arguments = Annotated[bool, typer.Option("--arguments", help="Keep the jobs' arguments, their secrets masked.")]
Mask = Annotated[list[str] | None, typer.Option("--mask", metavar="NAME", help="A further name whose values are secret.")]
TRACE = Path("trace.jsonl")


@record.command()
def celery(
    broker: Annotated[str, typer.Argument(metavar="BROKER_URL", help="The broker of the running system.")],
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long to listen; Ctrl-C ends it too.")] = "1h",
    enable: Annotated[bool, typer.Option("--enable-events", help="Ask its workers to send events from now on.")] = False,
    out: Out = TRACE,
    arguments: Arguments = False,
    mask: Mask = None,
) -> None:
    """Listen to the events of Celery's workers and producers (`worker -E`, `task_send_sent_event`)."""
    from jobharness.cli.recording import record_celery

    ended(lambda: record_celery(broker, lasting, enable, out, arguments, mask or ()))


@record.command()
def agent(
    library: Annotated[str, typer.Argument(help="The queue library, such as rq.")],
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where the processes write; on their machine.")],
    ship: Annotated[
        str, typer.Option("--ship", metavar="HOST:PORT", help="Ship the records to a `jobharness collect` there, too.")
    ] = "",
    node: Annotated[
        str, typer.Option("--node", metavar="NAME", help="What this machine is called there (default: its host).")
    ] = "",
) -> None:
    """Print the environment that makes your own processes record themselves; then use `record gather`."""
    from jobharness.cli.recording import print_agent

    ended(lambda: print_agent(library, folder, ship, node))


@record.command()
def gather(
    folder: Annotated[Path, typer.Argument(help="What the agent wrote, a finished run's folder, or its history.parquet.")],
    out: Out = TRACE,
) -> None:
    """Make a trace of what the agent recorded. The processes may go on; the agent records no arguments."""
    from jobharness.cli.recording import gather_records

    ended(lambda: gather_records(folder, out))


@record.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A table (CSV, JSONL, Parquet), or OpenTelemetry spans (OTLP JSON).")],
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="OURS=THEIRS", help="Such as at_s=created_at; others are left out.")
    ] = None,
    out: Out = TRACE,
    arguments: Arguments = False,
    mask: Mask = None,
) -> None:
    """Make a trace of what others recorded."""
    from jobharness.cli.recording import import_file

    ended(lambda: import_file(file, column or (), out, arguments, mask or ()))
