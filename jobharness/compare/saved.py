"""Runs that were made before: kept under a name, and found again by it, by a run's own name, or by the version that they were
made of."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobharness.clock import utc_now
from jobharness.compare.checkout import commit_of
from jobharness.errors import InvalidRequest, ReportsNotWritable, RunUnreadable, UnknownName
from jobharness.report.account import read_json
from jobharness.report.digest import Digest, digest_of

__all__ = ["BASELINE_SCHEMA", "SavedRuns", "baselines", "find", "save"]

BASELINE_SCHEMA = 1
FOLDER = "baselines"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class SavedRuns:
    """`name`: by which they were found; `runs`: in the order in which they were made."""

    name: str
    runs: Sequence[Digest]

    def of(self, source: str) -> list[Digest]:
        """Those of one scenario, by its file."""
        return [run for run in self.runs if run.source == source]

    @property
    def sources(self) -> list[str]:
        """The scenarios that were run."""
        return list(dict.fromkeys(run.source for run in self.runs))


def baselines(reports: Path) -> list[str]:
    """The names under which runs are kept, the newest first."""
    files = sorted((reports / FOLDER).glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [file.stem for file in files]


def save(reports: Path, name: str, runs: Sequence[Digest]) -> Path:
    """Keep runs under a name; what had that name is replaced. They stay readable when the runs' folders are gone.

    Raises: InvalidRequest for a name that is no file's name; ReportsNotWritable.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{name!r} is no name for runs; use letters, digits, dots, dashes and underscores")
    path = reports / FOLDER / f"{name}.json"
    plain = {"schema": BASELINE_SCHEMA, "name": name, "saved_at": utc_now().isoformat(timespec="seconds")}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({**plain, "runs": [run.plain() for run in runs]}, indent=1, default=str), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ReportsNotWritable(str(path), error.strerror or str(error)) from error
    return path


def find(reports: Path, wanted: str | None, project: Path) -> SavedRuns:
    """The runs meant by a name that they were saved under (None: the newest), the beginning of a run's own name, the folder
    of a run, or a git ref that they were made of, in this order.

    Raises: UnknownName, which lists what there is; RunUnreadable for a file that a newer version wrote.
    """
    known = baselines(reports)
    if wanted is None:
        if not known:
            raise InvalidRequest(f"nothing was saved in {reports}; `pytest --jobharness --jobharness-save NAME` saves runs")
        wanted = known[0]
    if wanted in known:
        return _baseline(reports / FOLDER / f"{wanted}.json", wanted)
    if (Path(wanted) / "run.json").is_file():
        return SavedRuns(Path(wanted).name, [digest_of(Path(wanted))])
    folders = sorted(path.parent for path in reports.glob("*/run.json"))
    if fitting := [folder for folder in folders if folder.name.startswith(wanted)]:
        return SavedRuns(wanted, [digest_of(folder) for folder in fitting])
    if runs := _of_commit(folders, wanted, project):
        return SavedRuns(wanted, runs)
    raise UnknownName(
        f"baseline, run or version with runs in {reports}", wanted, [*known, *(folder.name for folder in folders[-8:])]
    )


def _baseline(path: Path, name: str) -> SavedRuns:
    plain = read_json(path)
    if plain.get("schema", 0) > BASELINE_SCHEMA:
        raise RunUnreadable(
            str(path), f"has schema {plain['schema']}; this version reads up to {BASELINE_SCHEMA}. Update jobharness."
        )
    try:
        return SavedRuns(name, [Digest(**run) for run in plain["runs"]])
    except (KeyError, TypeError) as error:
        raise RunUnreadable(str(path), f"is no file of saved runs ({error})") from error


def _of_commit(folders: Sequence[Path], ref: str, project: Path) -> list[Digest]:
    try:
        commit = commit_of(project, ref)
    except InvalidRequest:
        return []
    return [digest_of(folder) for folder in folders if _commit(folder) == commit]


def _commit(folder: Path) -> Any:
    try:
        return (read_json(folder / "run.json").get("git") or {}).get("commit")
    except RunUnreadable:
        return None
