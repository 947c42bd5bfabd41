"""An account of one run: what a page is made from, whether the run has just ended or lies in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from jobharness.agent.record import key_of
from jobharness.contracts.contract import OFFENDERS, Finding, Verdict, Word
from jobharness.errors import RunUnreadable
from jobharness.history.frame import History
from jobharness.history.log import load
from jobharness.metrics.gate import Crossing
from jobharness.metrics.measure import measure
from jobharness.metrics.metric import Metric
from jobharness.runner.about import SCHEMA
from jobharness.runner.result import Result

__all__ = ["Account", "about_of", "of_folder", "of_result", "read_json"]


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

    The verdict and the metrics are those that were given then; everything that is drawn comes from the history.

    Raises: RunUnreadable, HistoryUnreadable: the folder holds no run, or one of a newer version.
    """
    about = about_of(folder)
    judged = read_json(folder / "verdict.json")
    history = load(folder / "history.parquet")
    return Account(
        folder=folder,
        about=about,
        history=history,
        verdict=_verdict(judged, history),
        metrics=_metrics(folder, history),
        crossings=[Crossing(one["metric"], one["word"], one["sentence"]) for one in judged.get("gate", [])],
        repeat=judged.get("repeat", ""),
    )


def about_of(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises: RunUnreadable: the folder holds no run, or one of a newer version."""
    about = read_json(folder / "run.json")
    if about.get("schema", 0) > SCHEMA:
        raise RunUnreadable(str(folder), f"has schema {about['schema']}; this version reads up to {SCHEMA}. Update jobharness.")
    return about


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
    numbers = _numbers(history, {offence["job"] for found in judged["findings"] for offence in found["offences"]} - {None})
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


def _numbers(history: History, job_ids: Set[str]) -> dict[str, int]:
    """The numbers of some jobs by the library's own ids; those that the history does not know are left out."""
    keys = [(job_id, *_halves(key_of(job_id))) for job_id in job_ids]
    wanted = pl.DataFrame(keys, schema={"job_id": pl.String, "key_hi": pl.UInt64, "key_lo": pl.UInt64}, orient="row")
    found = history.jobs.with_row_index("job").join(wanted, on=["key_hi", "key_lo"], how="inner")
    return dict(zip(found["job_id"], found["job"], strict=True))


def _halves(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")


def _metrics(folder: Path, history: History) -> Mapping[str, Metric]:
    """As they were measured then; anew where the file is missing."""
    if not (folder / "metrics.json").exists():
        return measure(history)
    return {name: Metric.of(name, one) for name, one in read_json(folder / "metrics.json").items()}
