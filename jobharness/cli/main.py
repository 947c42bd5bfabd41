"""The entry point: the subcommands."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import jobharness
from jobharness.cli.ending import ended
from jobharness.cli.record import record

__all__ = ["app", "main"]

app = typer.Typer(
    name="jobharness",
    help="Tells you, with proof, what happens to your background jobs when things go wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class CiProvider(StrEnum):
    """Whose workflow is written."""

    GITHUB = "github"
    GITLAB = "gitlab"


class Document(StrEnum):
    """What there is a schema of."""

    SCENARIO = "scenario"
    VERDICT = "verdict"


app.add_typer(record, name="record")

Reports = Annotated[Path | None, typer.Option("--reports", metavar="DIR", help="Where run folders go (default: ./reports).")]

Fail = Annotated[
    list[str] | None,
    typer.Option("--fail", metavar="METRIC:SHARE", help="A gate beside the scenario's, such as 'latency.p95:10%'."),
]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write the change record as Markdown.")]
Allows = Annotated[
    Path | None,
    typer.Option("--scenario", metavar="FILE", help="Whose environment and hosts allow an address outside this machine."),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")]


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    app()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"jobharness {jobharness.__version__}")
        raise typer.Exit


@app.command()
def run(
    scenarios: Annotated[list[Path], typer.Argument(metavar="SCENARIO...", help="Scenario files, or folders of them.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of each scenario's own seed.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all results as JSON; '-' is standard output.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be started, sent and hit, and when; touch nothing.")
    ] = False,
    reports: Reports = None,
) -> None:
    """Run scenarios, one after the other, and print what became of the jobs.

    Exit codes: 0 passed; 1 a contract is broken; 2 bad usage or scenario; 3 no verdict (unknown, vacuous, or something could not
    be started); 4 a gate was crossed; 130 interrupted. Of several scenarios the gravest counts, in the order 1, 2, 3, 4, 0. A
    known gap changes nothing here: a broken contract is 1.
    """
    from jobharness.cli.run import rehearse_scenarios, run_scenarios

    if dry_run:
        ended(lambda: rehearse_scenarios(scenarios, seed))
    changes = {} if seed is None else {"seed": seed}
    ended(lambda: run_scenarios(scenarios, changes, json_file, reports), reports)


@app.command()
def load(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    users: Annotated[
        int | None, typer.Option("--users", help="How many jobs may be sent at once (default: eight a Locust worker).")
    ] = None,
    rate: Annotated[str | None, typer.Option("--rate", metavar="RATE", help="Such as 50/s, instead of the scenario's.")] = None,
    run_time: Annotated[
        str | None,
        typer.Option("--run-time", metavar="TIME", help="How long jobs arrive, such as 10m, instead of the scenario's."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="How many Locust worker processes send.")] = 1,
    web_port: Annotated[
        int | None, typer.Option("--web-port", metavar="PORT", help="Locust's web UI on 127.0.0.1; its Stop ends the run.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Without the web UI, as it is without --web-port.")] = False,
    master: Annotated[bool, typer.Option("--master", help="Locust's workers join from other machines, by --join.")] = False,
    bind: Annotated[str, typer.Option("--bind", metavar="HOST:PORT", help="Where --master listens for them.")] = "127.0.0.1:5557",
    expect_workers: Annotated[
        int | None, typer.Option("--expect-workers", metavar="N", help="How many --master waits for.")
    ] = None,
    join: Annotated[
        str | None,
        typer.Option("--join", metavar="HOST:PORT", help="Be one of these workers: of the master at this address."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the scenario's own seed.")] = None,
    json_file: JsonFile = None,
    reports: Reports = None,
) -> None:
    """Run a scenario with Locust to generate the load: the same run, faults, contracts, gate and report.

    Exit codes as of `jobharness run`; with --join, 0 when this node's whole share was sent and recorded, 2 when it was refused, 3
    otherwise: what became of the jobs the master says.
    """
    from jobharness.cli.load import LoadWish, join_load, put_under_load

    if join is not None:
        ended(lambda: join_load(scenario, join))
    seen = None if headless else web_port
    wish = LoadWish(scenario, users, rate, run_time, workers, seen, seed, master, bind, expect_workers)
    ended(lambda: put_under_load(wish, json_file, reports), reports)


@app.command()
def ab(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario file; both sides run it.")],
    before: Annotated[
        list[str],
        typer.Option("--before", metavar="SIDE", help="A git ref, a change (queue.workers=2), a version (celery==5.4)."),
    ],
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="SIDE", help="The same; the project as it lies there if left out.")
    ] = None,
    runs: Annotated[str, typer.Option("--runs", metavar="N|auto", help="Pairs of runs; auto: as many as it takes.")] = "auto",
    budget: Annotated[str, typer.Option("--budget", metavar="TIME", help="No further pair is begun after it.")] = "10m",
    fail: Fail = None,
    reason: Annotated[str, typer.Option("--reason", help="Why the change is made; for the record.")] = "",
    further: Annotated[
        list[str] | None, typer.Option("--with", metavar="PACKAGE", help="What both sides' own environments need besides.")
    ] = None,
    markdown: Markdown = None,
    json_file: JsonFile = None,
    reports: Reports = None,
) -> None:
    """Compare two versions honestly: run both in pairs, in an order that a coin decides, and judge the difference.

    Options --before, --after, --fail and --with can be given several times. Exit codes: 0 passed; 1 a promise is broken
    after; 2 bad usage; 3 no verdict; 4 the gate is crossed; 130 interrupted.
    """
    from jobharness.cli.ab import Outlets, Wish, compare_sides

    outlets = Outlets(markdown, json_file)
    wish = Wish(scenario, before, after or ["."], runs, budget, fail or (), reason, further or (), outlets)
    ended(lambda: compare_sides(wish, reports), reports)


@app.command()
def crashmap(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    job: Annotated[str | None, typer.Option("--job", metavar="TASK", help="The task of the job (default: the first's).")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the map as JSON; '-' is standard output.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=1, max=2, help="2: the recovering worker is killed at each step, too.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="TIME", help="Such as 60s: the most telling points first, then stop.")
    ] = None,
    lanes: Annotated[int | None, typer.Option("--lanes", min=1, max=64, help="How many trials at once.")] = None,
    advise: Annotated[
        bool, typer.Option("--advise", help="Make it again with each setting that matters: what turns right, what it costs.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the scenario's own seed.")] = None,
    reports: Reports = None,
) -> None:
    """Map what becomes of one job at every crash that its broker can tell apart: lost, stuck, twice, once.

    Exit codes: 0 every outcome is allowed; 1 one is not; 2 bad usage or scenario; 3 no map, or one with gaps; 130 interrupted.
    """
    from jobharness.cli.crashmap import advise as try_changes
    from jobharness.cli.crashmap import draw_map

    given = {"crashmap__depth": depth, "crashmap__budget": budget, "crashmap__lanes": lanes, "seed": seed}
    changes = {name: value for name, value in given.items() if value is not None}
    ended(lambda: (try_changes if advise else draw_map)(scenario, job, json_file, reports, changes), reports)


@app.command()
def leaseproof(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    job: Annotated[
        str | None, typer.Option("--job", metavar="TASK", help="The task of the only kind of job to try (default: every kind).")
    ] = None,
    times: Annotated[
        Path | None, typer.Option("--times", metavar="RUN", help="A run's folder, whose history says how long jobs take.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the proof as JSON; '-' is standard output.")
    ] = None,
    lanes: Annotated[int | None, typer.Option("--lanes", min=1, max=64, help="How many trials at once.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the scenario's own seed.")] = None,
    reports: Reports = None,
) -> None:
    """Prove the leases: can a job have two live owners, can a stale one still settle it, and how long must a lease be?

    Exit codes: 0 nothing that `lease.forbid` names was found; 1 something was; 2 bad usage or scenario; 3 it could not be told;
    130 interrupted.
    """
    from jobharness.cli.leaseproof import prove

    given = {"lease__lanes": lanes, "seed": seed}
    changes = {name: value for name, value in given.items() if value is not None}
    ended(lambda: prove(scenario, job, times, json_file, reports, changes), reports)


@app.command()
def replay(
    trial: Annotated[Path, typer.Argument(metavar="TRIAL", help="reports/<run>/trials/<k>.json of a crash map.")],
    reports: Reports = None,
) -> None:
    """Repeat one trial of a crash map with the app as it is now: still broken, fixed, or not reproduced.

    Exit codes: 0 fixed; 1 still broken; 2 bad usage; 3 not reproduced; 130 interrupted.
    """
    from jobharness.cli.crashmap import repeat_trial

    ended(lambda: repeat_trial(trial, reports), reports)


@app.command()
def compare(
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="Saved runs: a name, a run, the beginning of one, or a git ref.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The same.")],
    fail: Fail = None,
    reason: Annotated[str, typer.Option("--reason", help="Why the change is made; for the record.")] = "",
    markdown: Markdown = None,
    json_file: JsonFile = None,
    reports: Reports = None,
) -> None:
    """Compare runs that were made before. Runs of other days or machines tell less, and this says how much less.

    Exit codes as of `jobharness ab`. Of several scenarios the gravest counts.
    """
    from jobharness.cli.ab import Outlets
    from jobharness.cli.compare import compare_runs

    ended(lambda: compare_runs((before, after), fail or (), reason, Outlets(markdown, json_file), reports), reports)


@app.command()
def scenarios(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files or folders (default: scenarios).")
    ] = None,
) -> None:
    """List scenarios: title, queue, broker, faults, known gap."""
    from jobharness.cli.scenarios import list_scenarios

    ended(lambda: list_scenarios(paths or [Path("scenarios")]))


@app.command()
def init(
    project: Annotated[Path, typer.Argument(metavar="[PROJECT]", help="The project's folder.", show_default=False)] = Path(),
    ci: Annotated[CiProvider | None, typer.Option("--ci", help="Write the workflow that runs the scenarios in CI, too.")] = None,
) -> None:
    """Find the queue of a project by reading its source, write a first scenario, and say what to do next."""
    from jobharness.cli.init import begin

    ended(lambda: begin(project, ci.value if ci is not None else None))


@app.command()
def doctor() -> None:
    """Say what is on this machine, and the exact command that installs what is missing."""
    from jobharness.cli.doctor import examine

    ended(examine)


@app.command()
def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, the beginning of it, or 'last'.")] = "last",
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    reports: Reports = None,
) -> None:
    """Make the HTML page of a run anew from its history, and print where it is."""
    from jobharness.cli.report import show_report

    ended(lambda: show_report(run, reports or Path("reports"), open_it))


@app.command()
def collect(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where what nodes ship goes, a folder for each.")],
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; nodes elsewhere reach only one of the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one, which is printed.")] = 0,
    scenario: Allows = None,
) -> None:
    """Take the records that the agent ships from other nodes, until Ctrl-C; then use `jobharness merge`.

    The variable JOBHARNESS_SHIP_TOKEN, where it is set, is the word that nodes must know.
    """
    from jobharness.cli.merge import collect_records

    ended(lambda: collect_records(folder, host, port, scenario))


@app.command()
def observe(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="That of `jobharness collect`, or another.")],
    results: Annotated[str, typer.Option("--results", metavar="URL", help="Celery's result backend: redis://host:port/db.")],
    scenario: Allows = None,
) -> None:
    """Observe completions from outside, where no agent may run, until Ctrl-C; then use `jobharness merge`.

    Nothing is changed in the backend. What only workers can tell stays unknown.
    """
    from jobharness.cli.merge import observe_results

    ended(lambda: observe_results(folder, results, scenario))


@app.command()
def merge(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder for each node, with its records and node.json.")],
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", metavar="FILE", help="Whose contract is checked (default: nothing lost or run twice)."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where the merged history goes (Parquet).")] = None,
) -> None:
    """Merge what several nodes recorded into one history, on one clock, and judge it.

    Exit codes: 0 everything held; 1 a contract is broken; 2 bad usage; 3 no verdict: a node vanished, clocks are unknown, or what
    was seen does not tell.
    """
    from jobharness.cli.merge import merge_nodes

    ended(lambda: merge_nodes(folder, scenario, out))


@app.command()
def alarms(
    scenario: Annotated[
        Path | None, typer.Argument(metavar="[SCENARIO]", help="Take the thresholds of its [prometheus] (default: minutes).")
    ] = None,
    interval: Annotated[str, typer.Option("--interval", help="How often Prometheus evaluates them.")] = "15s",
) -> None:
    """Print the rules of the seven usual alarms, for a Prometheus of your own."""
    from jobharness.cli.alarms import print_alarms

    ended(lambda: print_alarms(scenario, interval))


@app.command()
def spans(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, its name, the beginning of it, or 'last'.")] = "last",
    otlp: Annotated[
        str, typer.Option("--otlp", metavar="URL", help="Where spans are taken, by OTLP over HTTP.")
    ] = "http://127.0.0.1:4318/v1/traces",
    reports: Reports = None,
) -> None:
    """Send the life of each job of a run as spans to OpenTelemetry, so that it can be looked at in a tracing UI."""
    from jobharness.cli.spans import export_spans

    ended(lambda: export_spans(run, reports or Path("reports"), otlp))


@app.command()
def schema(
    of: Annotated[Document, typer.Argument(help="The scenario file, or the verdict.json of a run.")] = Document.SCENARIO,
) -> None:
    """Print a JSON schema: of a scenario, for editors, or of a verdict, for programs that read it."""
    from jobharness.cli.schema import print_schema

    ended(lambda: print_schema(of.value))


if __name__ == "__main__":
    main()
