"""Looks at the app's own data at the end of a run, as the invariants of its contract ask."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jobharness.brokers.broker import Broker
from jobharness.errors import EnvironmentFailed
from jobharness.history.event import Kind
from jobharness.processes.process import Process
from jobharness.runner.folder import RunFolder
from jobharness.runner.parts import Parts
from jobharness.runner.surroundings import Surroundings
from jobharness.runner.watch import Notice
from jobharness.scenario.promises import InvariantSpec

__all__ = ["Invariants"]

CHECKED_WITHIN_S = 60.0
MOST_SHOWN = 3
MOST_COUNTED = 10_000
READ_ONLY = {"sqlite": "PRAGMA query_only = 1", "postgres": "SET default_transaction_read_only = on"}


class Invariants:
    """The invariants of one run. Raises: InvalidRequest for an address that cannot be, before anything is started."""

    def __init__(self, parts: Parts, around: Surroundings, folder: RunFolder, mark: str) -> None:
        self._around, self._folder, self._mark = around, folder, mark
        self._asked = [(spec, self._database(parts, spec)) for spec in parts.scenario.contract.invariant]

    def _database(self, parts: Parts, spec: InvariantSpec) -> Broker | None:
        if spec.sql is None:
            return None
        given = self._around.fill(spec.database or "{broker.url}", f"contract.invariant {spec.name!r}.database")
        return parts.database(given if "://" in given else f"sqlite:///{quote(str((self._around.cwd / given).resolve()))}")

    def look(self) -> Iterator[Notice]:
        """What each finds now. Blocks as long as its query, or its function. What cannot be looked at says why."""
        for spec, database in self._asked:
            try:
                wrong = self._ask(database, spec.sql or "") if database is not None else self._call(spec)
            except EnvironmentFailed as error:
                yield Notice(Kind.INVARIANT_CHECKED, -1, str(error)[:400], task=spec.name)
            else:
                yield Notice(Kind.INVARIANT_CHECKED, len(wrong), _shown(wrong), task=spec.name)

    def _ask(self, database: Broker, sql: str) -> Sequence[str]:
        """The rows, as text. The first only, where there are very many."""
        path = getattr(database, "path", None)
        if path is not None and not Path(path).exists():
            raise EnvironmentFailed(f"there is no file {Path(path).name}")
        try:
            with closing(database.client()) as client:
                client.execute(READ_ONLY[database.kind])
                return [_row(row) for row in client.execute(sql).fetchmany(MOST_COUNTED)]
        except EnvironmentFailed:
            raise
        except Exception as error:
            # Both clients follow PEP 249, whose exceptions have names and no common class.
            if {"Error", "Warning"} & {kind.__name__ for kind in type(error).__mro__}:
                raise EnvironmentFailed(str(error).strip()) from error
            raise

    def _call(self, spec: InvariantSpec) -> Sequence[str]:
        """What the app's function found, in a process of its own."""
        answer_path = self._folder.data / "invariant.json"
        command = [str(self._around.python), "-m", "jobharness_agent.check", str(spec.check), str(answer_path)]
        env = self._around.for_process("inspector", "invariant")
        log = self._folder.logs / "invariant.log"
        process = Process("invariant", command, env=env, folder=self._around.cwd, log=log, mark=self._mark)
        if process.wait(CHECKED_WITHIN_S) is None:
            process.stop(grace_s=0)
            raise EnvironmentFailed(f"{spec.check} did not return within {CHECKED_WITHIN_S:g} s")
        try:
            answer: dict[str, Any] = json.loads(answer_path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise EnvironmentFailed(f"{spec.check} ended without an answer: {process.log_tail()}") from error
        finally:
            with suppress(FileNotFoundError):
                answer_path.unlink()
        if not answer["ok"]:
            raise EnvironmentFailed(f"{spec.check} raised {answer['traceback'].strip().splitlines()[-1]}")
        return list(answer["wrong"])


def _row(row: Sequence[Any]) -> str:
    return ", ".join(map(str, row))


def _shown(wrong: Sequence[str]) -> str:
    more = f" and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
    return ("; ".join(wrong[:MOST_SHOWN]) + more)[:400]
