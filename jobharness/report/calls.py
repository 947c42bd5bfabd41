"""The calls that jobs sent to the upstream, and how it answered: the ledger of its rate limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import polars as pl

from jobharness.clock import NS_PER_S
from jobharness.contracts.backoff import requests_too_soon
from jobharness.history.event import Kind
from jobharness.history.frame import History
from jobharness.report.window import Window
from jobharness.report.words import duration

__all__ = ["LEDGER", "answers", "ledger_rows", "quota_words"]

LEDGER = ("call", "requests", "answered well", "429", "other errors", "no answer", "asked to wait", "back too soon")
MOST_ROUTES = 20
"""Further ones, such as those with an id in each path, are only in the row for all."""
_OUTCOMES = {
    "well": pl.col("value").is_between(0, 399),
    "throttled": pl.col("value") == HTTPStatus.TOO_MANY_REQUESTS,
    "failed": (pl.col("value") >= 400) & (pl.col("value") != HTTPStatus.TOO_MANY_REQUESTS),
    "lost": pl.col("value") < 0,
}


def answers(history: History, window: Window) -> pl.DataFrame | None:
    """How the upstream answered, a row per bin: `well`, `throttled` and `failed` (f64, per second; no answer counts as
    failed). None where nothing reached it."""
    found = history.of(Kind.UPSTREAM_ANSWERED).select(bin=window.bin_of("time_ns"), **_OUTCOMES).collect()
    if not found.height:
        return None
    bins = pl.DataFrame({"bin": range(window.bins)}, schema={"bin": pl.Int64})
    counted = found.group_by("bin").agg(pl.col("well", "throttled").sum(), failed=pl.col("failed").sum() + pl.col("lost").sum())
    per_s = NS_PER_S / window.bin_ns
    return bins.join(counted, on="bin", how="left").sort("bin").select(pl.exclude("bin").fill_null(0) * per_s)


def ledger_rows(history: History) -> list[list[str]]:
    """A row for each route, the most asked first, under one for all; its cells as in `LEDGER`. Empty where nothing was asked.

    "asked to wait" is the longest `Retry-After`; "back too soon" counts requests of a job that came before that was over.
    """
    requests = history.of(Kind.UPSTREAM_REQUEST).select("task", requests=1).collect()
    if not requests.height:
        return []
    soon = requests_too_soon(history)
    tables = [
        requests,
        history.of(Kind.UPSTREAM_ANSWERED).select("task", **_OUTCOMES).collect(),
        history.of(Kind.UPSTREAM_RETRY_AFTER).select("task", wait=pl.col("value")).collect(),
        pl.DataFrame({"task": history.columns["task"][soon["row"].to_numpy()]}).with_columns(soon=1),
    ]
    events = pl.concat(tables, how="diagonal_relaxed")
    sums = [pl.col("requests", *_OUTCOMES, "soon").sum(), pl.col("wait").max()]
    routes = events.group_by("task").agg(sums).sort("requests", "task", descending=[True, False])
    rows = [_row(history.text(one["task"]) or "–", one) for one in routes.head(MOST_ROUTES).iter_rows(named=True)]
    return rows if routes.height == 1 else [_row("all", events.select(sums).row(0, named=True)), *rows]


def _row(name: str, sums: Mapping[str, Any]) -> list[str]:
    counts = [f"{sums[one]:,}" for one in ("requests", "well", "throttled", "failed", "lost")]
    wait = "–" if sums["wait"] is None else duration(sums["wait"] / NS_PER_S)
    return [name, *counts, wait, f"{sums['soon']:,}"]


def quota_words(quotas: Sequence[Mapping[str, Any]]) -> str:
    """The quotas of a scenario in a sentence; "" for none."""
    return "; ".join(
        f"at most {one['limit']} {'at once' if one['kind'] == 'concurrency' else 'within ' + duration(one.get('window', 1.0))}"
        + (f" for each {one['key']}" if one.get("key") else "")
        + ("" if one["kind"] == "concurrency" else f" ({one['kind']})")
        for one in quotas
    )
