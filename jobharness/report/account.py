"""An account of one run: what a page is made from, whether the run has just ended or lies in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobharness.contracts.contract import OFFENDERS, Finding, Verdict, Word
from jobharness.errors import RunUnreadable
from jobharness.history.frame import History
from jobharness.history.log import load
from jobharness.metrics.gate import Crossing
from jobharness.metrics.measure import measure
from jobharness.metrics.metric import Metric
from jobharness.runner.about import SCHEMA
from jobharness.runner.result import Result

__all__ = ["Account", "of_folder", "of_result", "read_json"]


@dataclass(frozen=True, eq=False)
class Account:
    """`about`: what run.json says, secrets masked. The others as in `runner.result.Result`."""

    folder: Path
    about: Mapping[str, Any]
    history: History
    verdict: Verdict
    metrics: Mapping[str, Metric]
    crossings: Sequence[Crossing]
    repeat: str


def of_result(result: Result) -> Account:
    """The account of a run that has just ended."""
    return Account(
        folder=result.folder,
        about=result.about,
        history=result.history,
        verdict=result.verdict,
        metrics=result.metrics,
        crossings=result.crossings,
        repeat=result.repeat,
    )


def of_folder(folder: Path) -> Account:
    """The account of a run from its folder, also of one that an older version made.

    The metrics are measured anew; the verdict is the one that was given then.

    Raises: RunUnreadable, HistoryUnreadable: the folder holds no run, or one of a newer version.
    """
    about = read_json(folder / "run.json")
    if about.get("schema", 0) > SCHEMA:
        raise RunUnreadable(str(folder), f"has schema {about['schema']}; this version reads up to {SCHEMA}. Update jobharness.")
    judged = read_json(folder / "verdict.json")
    history = load(folder / "history.parquet")
    return Account(
        folder=folder,
        about=about,
        history=history,
        verdict=_verdict(judged, history),
        metrics=measure(history),
        crossings=[Crossing(one["metric"], one["word"], one["sentence"]) for one in judged.get("gate", [])],
        repeat=judged.get("repeat", ""),
    )


def read_json(path: Path) -> dict[str, Any]:
    """One of a run's JSON files. Raises: RunUnreadable."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunUnreadable(
            str(path.parent), f"holds no {path.name}: it is no folder of a run, or the run was ended before its report"
        ) from None
    except (OSError, ValueError) as error:
        raise RunUnreadable(str(path), f"cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise RunUnreadable(str(path), "is not a JSON object")
    return content


def _verdict(judged: Mapping[str, Any], history: History) -> Verdict:
    numbers = (
        {job_id: job for job, job_id in enumerate(history.job_ids())} if any(f["offences"] for f in judged["findings"]) else {}
    )
    findings = (
        Finding(
            contract=found["contract"],
            word=Word[found["word"].upper()],
            sentence=found["sentence"],
            counts=found["counts"],
            offenders=pl.DataFrame(
                [(numbers.get(offence["job"]), offence["row"], offence["why"]) for offence in found["offences"]],
                schema=OFFENDERS,
                orient="row",
            ),
            promise=found.get("promise", ""),
        )
        for found in judged["findings"]
    )
    return Verdict(tuple(findings))
