"""Makes the crash map of every pair of queue and broker and writes docs/maps.md: run by `make maps`.

What is mapped is the job `succeed` of the conformance kit's apps, with the library's defaults, and once more with the safest
settings that its documentation names, where there are such. It takes about a minute a map, and says how long each took.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobharness.catalog import queue_kind
from jobharness.conformance import Subject
from jobharness.errors import JobharnessError
from jobharness.explore.chart import CrashMap, Tried
from jobharness.explore.outcome import GRAVEST_FIRST
from jobharness.explore.points import CONTROL
from jobharness.harness import Harness
from jobharness.scenario.model import Scenario

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.pairs_page import PairsPage  # found by the line above
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[1]
SAFEST: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "celery": ({"task_acks_late": True, "task_reject_on_worker_lost": True, "worker_prefetch_multiplier": 1}, {}),
    "rq": ({}, {"retry": {"max": 3}}),
    "saq": ({}, {"retries": 3}),
}
"""By queue library, settings and options of the job; one that is not here has none that makes a job safer, or none that the map
can lay over its app."""

ALONE: Mapping[str, Mapping[str, Any]] = {"celery": {"immutable": True}, "dramatiq": {"pipe_ignore": True}}
"""By queue library, options with which a job of a chain is not given what came before it."""

RECOVERY = {"python": "23s"}
"""By queue, how long its recovery takes at most, where no adapter can know: the home-grown one's leases last 20 s."""

HEAD = """\
# Crash maps of every pair

One job at every crash that its broker can tell apart (see [the crash map](crash-map.md)): at how many points it is lost, stuck,
given up, done twice, or done once and for all. The job returns at once, and every point was tried once. *Recovery* is how long
the library's own may take, with leases shortened as its adapter says, and the slowest that was seen, in seconds, which counts the
restart of workers that exit when their broker is away. *Took* is how many seconds the map took to make, of all its points, on
a machine of two cores: it learns for some 7 s, and then no job that is not back is called lost or stuck before the library's own
recovery has had its time. "Safest": with Celery's late acknowledgement, RQ's and SAQ's retries; the other libraries' defaults
are the safest that their documentation names. "Chain": two jobs, one after the other by the library's own means, with the
safest settings; a chain is lost where its second job is never enqueued, too. Written by `make maps`, and, but for the chains,
by `make bench`.

"""
COLUMNS = (
    "queue", "broker", "pool", "settings", "points", "lost", "stuck", "dead-lettered", "twice", "late", "once-pending", "once",
    "unknown", "recovery: at most / seen", "took", "worst at",
)  # fmt: skip
PAGE = PairsPage(ROOT / "docs" / "maps.md", HEAD, COLUMNS, {name: case.pair for name, case in NEWEST.items()})


def scenario_of(subject: Subject, settings: Mapping[str, Any], options: Mapping[str, Any]) -> Scenario:
    """The subject's app, with one kind of job."""
    plain = subject.scenario().model_dump(exclude_unset=True, by_alias=True)
    queue = {**plain["queue"], "settings": {**plain["queue"].get("settings", {}), **settings}, "ready_within": "60s"}
    # What an app of the kit counts its attempts in is made by the kit itself.
    queue["env"] = {**queue["env"], "ATTEMPTS_FOLDER": "{run.folder}", "SAQ_SWEEPS": "1"}
    job = subject.jobs["succeed"]
    workload = {
        "arrivals": {"rate": "1/s"},
        "duration": "1s",
        "job": [{"task": job.task, "args": [1], "options": {**job.options, **options}}],
    }
    recovery = RECOVERY.get(subject.queue["adapter"])
    crashmap = {"tries": 1, **({"recovery": recovery} if recovery is not None else {})}
    return Scenario.model_validate({**plain, "queue": queue, "workload": workload, "crashmap": crashmap})


def chain_of(subject: Subject, settings: Mapping[str, Any], options: Mapping[str, Any]) -> Scenario:
    """The subject's app, with one kind of chain: the same job twice."""
    scenario = scenario_of(subject, settings, options)
    (job,) = scenario.workload.job
    link = {"task": job.task, "args": job.args, "options": {**job.options, **ALONE.get(subject.queue["adapter"], {})}}
    return scenario.with_(workload__job=[{"chain": [link, link]}])


def put(settings_name: str, scenario: Scenario, reports: Path) -> tuple[str, CrashMap | None]:
    """Make the map and write its line, which is returned with it. A pair that cannot be mapped here says why, and has no map."""
    queue, broker = scenario.queue, scenario.broker.kind
    chart = None
    try:
        chart = Harness(ROOT, reports).crash_map(scenario)
        row = _row(chart, settings_name)
    except JobharnessError as error:
        reason = str(error).splitlines()[0].replace(str(ROOT), ".").replace("|", "/")
        empty = "| " * (len(COLUMNS) - 5)
        row = f"| {queue.adapter} | {broker} | {queue.pool or 'default'} | {settings_name} | {empty}not mapped: {reason} |"
    PAGE.put((queue.adapter, broker, settings_name), row)
    return row, chart


def _row(chart: CrashMap, settings_name: str) -> str:
    about = chart.about
    queue = about["scenario"]["queue"]
    crashes = [tried for tried in chart.tried if tried.point.kind != CONTROL]
    words = [tried.worst.word for tried in crashes]
    order = ("lost", "stuck", "dead-lettered", "twice", "late", "once-pending", "once", "unknown")
    counts = " | ".join(str(sum(str(word) == name for word in words)) for name in order)
    worst = min(crashes, key=lambda tried: GRAVEST_FIRST.index(tried.worst.word), default=None)
    is_bad = worst is not None and worst.worst.word not in chart.allowed
    bad = f"{worst.point.sentence()}: {worst.text}{_by_nobody(crashes)}" if worst is not None and is_bad else "–"
    library = f"{queue['adapter']} {about['app']['version']}" if about["app"]["version"] else queue["adapter"]
    server = str(about["broker"]).partition(" (")[0]
    pool = queue.get("pool") or "default"
    recovery = f"{_seconds(chart.recovery, 'bound_s')} / {_seconds(chart.recovery, 'seen_s')}"
    left = f"| {library} | {server} | {pool} | {settings_name} | {len(crashes)} | {counts} | {recovery} | {chart.took_s:.1f} |"
    return f"{left} {bad.replace('|', '/')} |"


def _by_nobody(crashes: Sequence[Tried]) -> str:
    """Of a chain, at how many points it was lost between its jobs."""
    number = sum(tried.worst.where.startswith("nobody got") for tried in crashes)
    return f"; at {number} points nobody got the next job enqueued" if number else ""


def _seconds(recovery: Mapping[str, Any], name: str) -> str:
    if name == "bound_s" and recovery.get(name) is None and recovery.get("said_s") is not None:
        name = "said_s"
    if recovery.get(name) is None:
        return "never" if name == "bound_s" and recovery.get("never") else "–" if name == "seen_s" else "not known"
    return f"{recovery[name]:.1f}"


def cases(wanted: Sequence[str]) -> Iterator[tuple[str, Scenario]]:
    """Each pair with the library's defaults, then with its safest settings."""
    for name, case in NEWEST.items():
        if wanted and name not in wanted:
            continue
        subject = case.subject_there()
        yield "defaults", scenario_of(subject, {}, {})
        if subject.queue["adapter"] in SAFEST:
            yield "safest", scenario_of(subject, *SAFEST[subject.queue["adapter"]])


def chains(wanted: Sequence[str]) -> Iterator[tuple[str, Scenario]]:
    """A chain by each pair whose library has one of its own."""
    for name, case in NEWEST.items():
        if (not wanted or name in wanted) and "chain" in getattr(queue_kind(case.pair[0]), "shapes", {}):
            subject = case.subject_there()
            yield "chain", chain_of(subject, *SAFEST.get(subject.queue["adapter"], ({}, {})))


def main(wanted: list[str]) -> None:
    """Map every pair, or those that are named, and write the page; a pair that is not mapped keeps its line."""
    with tempfile.TemporaryDirectory() as reports:
        for settings_name, scenario in (*cases(wanted), *chains(wanted)):
            row, _ = put(settings_name, scenario, Path(reports))
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
