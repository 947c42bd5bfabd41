"""One run as one HTML page: self-contained, opens from disk, needs no network. Jinja2 makes it, Plotly draws it.

The page is made with autoescaping, from figures that are already aggregated: its size does not grow with the number of jobs. A
Content-Security-Policy in the page allows its own scripts by their hashes and nothing else, so that even a hole in the escaping
would run nothing. What a chart shows stands beside it in words too, for who has no script.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jobharness.clock import seconds_between
from jobharness.contracts.contract import Finding
from jobharness.metrics.breakdown import break_down
from jobharness.metrics.schedule import off_schedule
from jobharness.report import words
from jobharness.report.account import Account
from jobharness.report.calls import LEDGER, answers, ledger_rows, quota_words
from jobharness.report.difference import comparison_with, find_before, rows_of
from jobharness.report.distribution import distributions
from jobharness.report.distribution_plot import distribution_charts
from jobharness.report.drawing import drawing_of, script_hash
from jobharness.report.groups import COLUMNS as GROUP_COLUMNS
from jobharness.report.groups import group_tables
from jobharness.report.nodes import COLUMNS, node_rows
from jobharness.report.offenders import Offender, offenders_of
from jobharness.report.strikes import Strike, strikes_of
from jobharness.report.timeline import timeline
from jobharness.report.timeline_plot import MARGINS_PX, timeline_plot
from jobharness.report.timeline_table import BINS, CALLS, LANES, bin_rows, lane_rows
from jobharness.report.window import Window, window_of
from jobharness.report.workers import alive, lanes_of
from jobharness.runner.masking import without_secrets

__all__ = ["page", "render"]

RARE = ("jobs.refused", "jobs.unknown")
"""Figures that are shown where they are not 0."""
MOST_LANES = 12
"""More workers than this are drawn as a number over time."""
MOST_STRIKES = 200
"""More strikes than this are counted and not listed."""
FLAG_PERCENT = 7.0
"""How far apart two flags of strikes stand at least, before the second goes into the next row; fits a window 400 pixels wide."""
FLAG_ROWS = 4


def page(account: Account) -> str:
    """The whole page. Cost: linear in the events, once; a million jobs take a few seconds."""
    window = window_of(account.history)
    strikes = strikes_of(account.history)
    mask = account.about["scenario"].get("report", {}).get("mask", ())
    offenders, offending = offenders_of(account.history, account.verdict, strikes, window, account.folder / "plan.jsonl", mask)
    told, drawn = _timeline(account, window, strikes)
    charts = distribution_charts(distributions(account.history))
    return render(
        "run.html.j2",
        about=account.about,
        verdict=account.verdict,
        headline=words.headline(account.verdict, account.crossings),
        facts=_facts(account),
        figures=_figures(account),
        findings=[_finding(finding, offenders) for finding in account.verdict.findings],
        crossings=account.crossings,
        timeline=told,
        distributions=charts,
        drawing=drawing_of({"timeline": drawn, **{chart["id"]: chart["figure"] for chart in charts}}),
        offenders=offenders,
        offending=offending,
        comparison=_comparison(account),
        environment=_environment(account.about),
        groups=group_tables(break_down(account.history)),
        group_columns=GROUP_COLUMNS,
        ledger=ledger_rows(account.history),
        ledger_columns=LEDGER,
        quota=quota_words((account.about["scenario"].get("upstream") or {}).get("quota", ())),
        nodes=node_rows(account.history),
        node_columns=COLUMNS,
        off_schedule=off_schedule(account.metrics),
        repeat=without_secrets(account.repeat),
        logs=_logs(account),
    )


def render(template: str, **context: Any) -> str:
    """A template of ours with its style and script put into it."""
    return _environment_of_templates().get_template(template).render(context)


@cache
def _environment_of_templates() -> Environment:
    made = Environment(
        loader=PackageLoader("jobharness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = _file("page.js"), _file("style.css")
    made.globals.update(
        script=Markup(script),
        style=Markup(style),
        script_hash=script_hash(script),
        marks=words.MARKS,
    )
    made.filters.update(
        duration=words.duration, count=words.count, sentence=words.sentence, short_task=words.short_task, moment=_moment
    )
    return made


def _file(name: str) -> str:
    return (files("jobharness.report") / "templates" / name).read_text(encoding="utf-8")


def _moment(text: str) -> str:
    """An ISO time as `22 Nov 2026, 11:02 UTC`; what is none, as it is."""
    try:
        return f"{datetime.fromisoformat(text):%-d %b %Y, %H:%M} UTC"
    except ValueError:
        return text


def _facts(account: Account) -> list[str]:
    """What was run, in a line of short facts."""
    about, scenario = account.about, account.about["scenario"]
    queue, workload = scenario["queue"], scenario["workload"]
    app = about.get("app") or {}
    workers = words.count(queue.get("workers", 1), "worker")
    each = f" of {queue['concurrency']}" if queue.get("concurrency") else ""
    pool = f" ({queue['pool']})" if queue.get("pool") else ""
    facts = [
        f"{queue['adapter']} {app.get('version', '')}".strip(),
        about.get("broker") or scenario["broker"]["kind"],
        workers + each + pool,
        _arrivals(workload),
        f"seed {about['seed']}",
    ]
    return facts + ([f"owner: {scenario['owner']}"] if scenario.get("owner") else [])


def _arrivals(workload: Mapping[str, Any]) -> str:
    """How jobs arrived, in a few words."""
    arrivals = workload.get("arrivals") or {}
    shape = f"trace {workload['trace']}" if "trace" in workload else str(arrivals.get("process", "poisson"))
    rate = f" {arrivals['rate']:g}/s" if "rate" in arrivals else ""
    jobs = f" {arrivals['jobs']} jobs" if "jobs" in arrivals else ""
    lasting = f" for {words.duration(workload['duration'])}" if workload.get("duration") else ""
    return shape + rate + jobs + lasting


def _figures(account: Account) -> list[tuple[str, str, str]]:
    """The figures under the verdict: value, label, and "bad" where it is one that should be 0 and is not."""
    shown = (
        ("jobs.acknowledged", "acknowledged", False),
        ("jobs.refused", "refused", True),
        ("jobs.unknown", "of unknown outcome", True),
        ("jobs.completed", "completed", False),
        ("jobs.lost", "lost", True),
        ("jobs.stuck", "stuck", True),
        ("jobs.duplicated", "run again", False),
        ("faults.strikes", "strikes", False),
        ("faults.jobs_hit", "jobs hit", False),
        ("recovery.max", "slowest recovery", False),
        ("latency.p95", "latency p95", False),
        ("throughput", "throughput", False),
    )
    return [
        (words.figure(metric.value, metric.unit), label, "bad" if zero and metric.value else "")
        for name, label, zero in shown
        if (metric := account.metrics.get(name)) is not None and metric.value is not None and (metric.value or name not in RARE)
    ]


def _finding(finding: Finding, offenders: list[Offender]) -> dict[str, Any]:
    loose = finding.offenders.filter(finding.offenders["job"].is_null())["why"].unique(maintain_order=True)
    return {
        "contract": finding.contract,
        "word": str(finding.word),
        "promise": finding.promise,
        "sentence": finding.sentence,
        "jobs": len(finding.jobs),
        "listed": any(finding.contract == contract for offender in offenders for contract, _ in offender.offences),
        "loose": loose.to_list()[:5],
    }


def _timeline(account: Account, window: Window, strikes: list[Strike]) -> tuple[dict[str, Any], Any]:
    """The timeline in words, and as a figure."""
    series = timeline(account.history, window)
    lanes = lanes_of(account.history, window)
    workers = alive(lanes, window)
    shown = strikes[:MOST_STRIKES]
    few = lanes if len(lanes) <= MOST_LANES else []
    calls = answers(account.history, window)
    said = {
        "strikes": [_strike(strike, window, account.about) for strike in shown],
        "untold": max(0, len(strikes) - MOST_STRIKES),
        "flags": _flags(shown, window),
        "bin": words.duration(seconds_between(0, window.bin_ns)),
        "share": 100 * window.bin_ns / (window.end_ns - window.origin_ns),
        "quiet": words.duration(window.quiet_s) if window.quiet_s else "",
        "margins": MARGINS_PX,
        "columns": BINS if calls is None else BINS + CALLS,
        "rows": bin_rows(series, workers, calls),
        "lane_columns": LANES,
        "lanes": lane_rows(few, window),
    }
    return said, timeline_plot(series, workers, few, shown, window, calls)


def _strike(strike: Strike, window: Window, about: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": strike.number,
        "fault": strike.fault,
        "at": f"{window.since_s(strike.time_ns):.3f} s",
        "healed": words.duration((strike.end_ns - strike.time_ns) / 1e9) if strike.end_ns is not None else "",
        "victims": strike.victims,
        "jobs": strike.jobs,
        "fates": ", ".join(f"{number} {FATES[fate]}" for fate, number in strike.fates.items()),
        "bad": any(fate in ("lost", "stuck") for fate in strike.fates),
        "hits": strike.hits,
        "rule": _rule(strike.label, about),
    }


FATES = {"completed": "completed later", "dead": "dead", "earlier": "completed before", "stuck": "stuck", "lost": "lost"}


def _rule(label: str, about: Mapping[str, Any]) -> str:
    """The fault as the scenario has it: `on job.running, every 2 s, target worker`."""
    index = label.partition("#")[2]
    faults = about["scenario"].get("fault", [])
    if not index.isdigit() or int(index) > len(faults):
        return label
    spans = ("at", "every", "delay", "lasts")
    keys = {key: value for key, value in faults[int(index) - 1].items() if key != "kind"}
    return ", ".join(f"{key} {words.duration(value) if key in spans and value else value}" for key, value in keys.items())


def _flags(strikes: list[Strike], window: Window) -> list[dict[str, Any]]:
    """Where each strike's flag stands: percent from the left, and its row; no two lie on each other while there is room."""
    last = [-FLAG_PERCENT * 2] * FLAG_ROWS
    flags = []
    for strike in strikes:
        left = window.share(strike.time_ns) * 100
        free = next((row for row in range(FLAG_ROWS) if left - last[row] >= FLAG_PERCENT), last.index(min(last)))
        last[free] = left
        flags.append(
            {
                "number": strike.number,
                "left": left,
                "row": free,
                "label": f"{strike.fault} at {window.since_s(strike.time_ns):.2f} s",
            }
        )
    return flags


def _comparison(account: Account) -> dict[str, Any] | None:
    before = find_before(account)
    if before is None:
        return None
    found = comparison_with(before, account)
    return {"before": before, "rows": rows_of(found), "differences": found.differences, "warnings": found.warnings}


def _environment(about: Mapping[str, Any]) -> dict[str, Any]:
    machine, git, app = about.get("machine") or {}, about.get("git"), about.get("app") or {}
    memory = machine.get("memory_bytes")
    facts = {
        "jobharness": f"{about['versions'].get('jobharness')} on Python {about['versions'].get('python')}",
        "Queue": f"{about['scenario']['queue']['adapter']} {app.get('version', '')} on Python {app.get('python', '–')}",
        "Broker": about.get("broker") or "–",
        "Machine": f"{machine.get('system')}, {machine.get('cores')} cores" + (f", {memory / 2**30:.0f} GiB" if memory else ""),
        "Commit": f"{git['commit'][:12]}{' with uncommitted changes' if git.get('dirty') else ''}"
        if git
        else "not in a git repository",
        "Seed": about["seed"],
        "Scenario": about.get("source") or "built in Python",
    }
    return {
        "facts": facts,
        "settings": dict(sorted(_settings(app.get("settings", {})).items())),
        "chosen": set(_settings(about["scenario"]["queue"].get("settings", {}))),
        "scenario": about["scenario"],
    }


def _settings(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: "not set" if value is None else str(value) for name, value in found.items()}


def _logs(account: Account) -> list[str]:
    folder = account.folder / "logs"
    return sorted(path.name for path in folder.glob("*.log") if path.stat().st_size) if folder.is_dir() else []
