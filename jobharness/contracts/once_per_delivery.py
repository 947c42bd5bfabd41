"""Once per delivery: however often a webhook is sent, it is taken in the end, and one job does what it is for.

Its sender sends again what was not answered, and may send again what was: two jobs of one delivery are two charges, unless the
app tells deliveries apart, at its entry or in its tasks. What counts is which jobs of a delivery applied the same effect; where
no effect of it was seen, which finished. One job that runs twice is what `at_most_once` and `exactly_once_effect` judge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from jobharness.contracts.promise import Evidence, RunPromise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["OncePerDelivery"]


class OncePerDelivery(RunPromise):
    """Every webhook delivery is taken within its sender's tries, a job of it does what it is for, and no second job does it
    again. Needs: the queue drained."""

    name = "once_per_delivery"
    promise = "each webhook delivery is taken, and takes effect by one job, however often it is sent"
    needs = frozenset((Kind.DELIVERY_TRIED, Kind.JOB_FINISHED))
    nothing = "no delivery led to a job"
    split_by = "delivery"

    def observe(self, history: History) -> pl.DataFrame:
        """`delivery, job, row, task, text, effect` of all that jobs of deliveries did: the first of each effect of a
        job, and its first end."""
        columns = history.columns
        tried = columns.rows_of_jobs(Kind.DELIVERY_TRIED)
        ties = pl.DataFrame({"job": columns["job"][tried], "delivery": columns["text"][tried]}).unique(maintain_order=True)
        of_deliveries = history.tally.has(Kind.DELIVERY_TRIED)
        parts = []
        for kind in (Kind.EFFECT_APPLIED, Kind.JOB_FINISHED):
            rows = columns.rows_of_any(kind, jobs=of_deliveries)
            effect = kind is Kind.EFFECT_APPLIED
            parts.append(
                pl.DataFrame(
                    {
                        "job": columns["job"][rows],
                        "row": rows,
                        # An end has nothing that tells it from another.
                        "task": columns["task"][rows] * effect,
                        "text": columns["text"][rows] * effect,
                        "effect": np.full(len(rows), effect),
                    }
                )
            )
        did = pl.concat(parts).sort("row").unique(["job", "task", "text", "effect"], keep="first", maintain_order=True)
        return ties.join(did, on="job", how="left")

    def weigh(self, observed: pl.DataFrame, history: History) -> Evidence:
        """What a delivery did again, the most often done first; then those that did nothing."""
        did = observed.filter(pl.col("row").is_not_null())
        idle = observed.join(did.select("delivery"), on="delivery", how="anti").unique(
            "delivery", keep="first", maintain_order=True
        )
        seen = did.with_columns(told=pl.col("effect").any().over("delivery")).filter(pl.col("effect") == pl.col("told"))
        seen = seen.sort("delivery", "row")
        nth = seen.with_columns(nth=pl.int_range(pl.len()).over("delivery", "task", "text") + 1)
        again = nth.filter(pl.col("nth") > 1)
        found = offences(
            pl.format("its delivery took effect again, by {} jobs now", "nth"),
            job=again["job"].to_numpy(),
            row=again["row"].to_numpy(),
            weight=again["nth"].to_numpy(),
            nth=again["nth"],
        )
        nothing = offences("it was taken, and nothing came of it", job=idle["job"].to_numpy(), weight=np.zeros(idle.height))
        deliveries = seen["delivery"].n_unique() + idle.height
        counts = {"deliveries": deliveries, "repeated": again["delivery"].n_unique(), "idle": idle.height, "given_up": 0}
        return Evidence(deliveries, pl.concat([found, nothing]), idle.height, counts)

    def of_run(self, history: History) -> Evidence | None:
        """The deliveries that were given up: they led to no job."""
        columns = history.columns
        rows = columns.rows(Kind.DELIVERY_GIVEN_UP)
        if not len(rows):
            return None
        tries = columns["value"][rows]
        found = offences(
            pl.format("never taken: given up after {} tries", "tries"),
            job=None,
            row=rows,
            weight=np.zeros(len(rows)),
            tries=tries,
        )
        return Evidence(len(rows), found, 0, {"deliveries": 0, "repeated": 0, "idle": 0, "given_up": len(rows)})

    def broken(self, figures: Mapping[str, int]) -> str:
        """How many took effect again, how many were never taken."""
        parts = (
            [f"{figures['repeated']} of {figures['deliveries']} deliveries took effect by several jobs"]
            if figures["repeated"]
            else []
        )
        if figures["idle"]:
            parts.append(f"{figures['idle']} were taken, and nothing came of them")
        if figures["given_up"]:
            parts.append(f"{figures['given_up']} deliveries were never taken")
        return "; ".join(parts)

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many there were."""
        return f"each of {figures['deliveries']} deliveries took effect by one job"
