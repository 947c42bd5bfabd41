"""Deaths are reported: each job that died sent one error report, which names it, its task and its exception; a retry
is not reported as a death."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from jobharness.contracts.promise import Evidence, Promise, offences
from jobharness.history.event import Kind
from jobharness.history.frame import History

__all__ = ["Reported"]

SILENT, TWICE, NO_DEATH, OTHER_TASK, OTHER_ERROR = (
    "died, and was not reported",
    "was reported more than once",
    "was reported though it did not die",
    "was reported under another task",
    "was reported with another exception",
)


@dataclass(frozen=True)
class Reported(Promise):
    """Each job that was given up and never completed was reported (`times` "once": exactly once), under its own task and
    exception; no other job was. Needs: an ingest that took the reports of every process."""

    times: Literal["once", "at least once"] = "once"
    name = "reported"
    needs = frozenset((Kind.JOB_DEAD,))
    nothing = "no job died, and none was reported"

    @property
    def promise(self) -> str:
        """The promise."""
        return f"each dead job is reported {self.times}, with its task and exception; a retry is not reported as a death"

    def evidence(self, history: History) -> Evidence:
        """The silent deaths first, then reports that say what is not so."""
        tally = history.tally
        dead = (tally.count(Kind.JOB_DEAD) > 0) & (tally.count(Kind.JOB_FINISHED) == 0)
        reports = tally.count(Kind.FAILURE_REPORTED)
        wrong = {
            SILENT: dead & (reports == 0),
            TWICE: dead & (reports > 1) & (self.times == "once"),
            NO_DEATH: ~dead & (reports > 0),
            OTHER_TASK: dead & _differ(history, "task", history.tally.label("task"), r"([^.:]*)$"),
            OTHER_ERROR: dead & _differ(history, "text", _first(history, Kind.JOB_DEAD, "text"), r"^(?:[\w.]*\.)?(\w+)"),
        }
        tables = [
            offences(said, job=np.flatnonzero(jobs), weight=np.full(int(jobs.sum()), float(len(wrong) - place)))
            for place, (said, jobs) in enumerate(wrong.items())
        ]
        counts = {
            "dead": int(dead.sum()),
            "reports": int(reports.sum()),
            "silent": int(wrong[SILENT].sum()),
            "repeated": int(wrong[TWICE].sum()),
            "alive": int(wrong[NO_DEATH].sum()),
            "mistaken": int((wrong[OTHER_TASK] | wrong[OTHER_ERROR]).sum()),
        }
        judged = int((dead | (reports > 0)).sum())
        return Evidence(judged, pl.concat(tables), counts["silent"], counts)

    def broken(self, figures: Mapping[str, int]) -> str:
        """What was wrong, and how often."""
        said = {
            "silent": "were not reported",
            "repeated": "were reported more than once",
            "mistaken": "were reported under another task or exception",
        }
        found = [f"{figures[name]} {words}" for name, words in said.items() if figures[name]]
        deaths = f"of {figures['dead']} dead jobs {', '.join(found)}" if found else ""
        alive = f"{figures['alive']} jobs that did not die were reported" if figures["alive"] else ""
        return "; ".join(filter(None, (deaths, alive)))

    def kept(self, figures: Mapping[str, int]) -> str:
        """How many deaths there were."""
        return f"each of {figures['dead']} dead jobs was reported {self.times}"


def _first(history: History, kind: Kind, column: str) -> npt.NDArray[np.int64]:
    """(n_jobs,) the column (a number of a text) of each job's first event of that kind; 0 without one."""
    columns = history.columns
    rows = columns.rows_of_jobs(kind)[::-1]
    out = np.zeros(history.jobs.height, np.int64)
    out[columns["job"][rows]] = columns[column][rows]
    return out


def _differ(history: History, column: str, known: npt.NDArray[Any], essence: str) -> npt.NDArray[np.bool_]:
    """Where a job's first report and what is known of the job say different things, of what both say.

    Compared is what `essence` finds in them: the last name of a task (a library may leave its module out), the type of an
    exception, of texts that are "Type: words".
    """
    names = history.texts.str.extract(essence).fill_null("").to_numpy()
    told = _first(history, Kind.FAILURE_REPORTED, column)
    return np.asarray((known > 0) & (told > 0) & (names[known] != names[told]), np.bool_)
