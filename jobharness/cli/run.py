"""`jobharness run`: each scenario in turn, its report, then the tables over all of them.

The report goes to standard output, progress and errors to standard error.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from jobharness.errors import InvalidRequest, JobharnessBug, JobharnessError, PortTaken, ReportsNotWritable, message_of
from jobharness.harness import Harness
from jobharness.report.bug import bug_note
from jobharness.report.comparison import comparisons
from jobharness.report.data import verdict_json
from jobharness.report.digest import Digest, digest
from jobharness.report.live import progress_on
from jobharness.report.terminal import before_after_table, run_report, show, summary_table
from jobharness.runner.abort import Abort
from jobharness.runner.result import Result

__all__ = [
    "GRAVEST_FIRST",
    "Execute",
    "gravest",
    "interrupted_by_sigterm",
    "rehearse_scenarios",
    "run_scenarios",
    "scenario_files",
]

EXIT_INTERRUPTED = 130
EXIT_BUG = 3

GRAVEST_FIRST = (EXIT_INTERRUPTED, 1, 2, 3, 4, 0)
"""Of several exit codes the first of these counts: proof of a broken promise goes before anything that merely could not be
judged."""


def gravest(codes: Iterable[int]) -> int:
    """The exit code of several scenarios; 0 for none."""
    return min(codes, key=GRAVEST_FIRST.index, default=0)


def scenario_files(paths: Iterable[Path]) -> list[Path]:
    """The files meant: a folder stands for every scenario in it.

    Raises: InvalidRequest for a path that does not exist, or a folder without scenarios.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*.toml") if file.name != "pyproject.toml")
            if not inside:
                raise InvalidRequest(f"{path}: the folder holds no scenario (*.toml)")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise InvalidRequest(f"{path}: there is no such scenario. `jobharness scenarios` lists those in ./scenarios")
    return list(dict.fromkeys(found))


def rehearse_scenarios(paths: list[Path], seed: int | None) -> int:
    """Print what each scenario would do; nothing is touched."""
    changes = {} if seed is None else {"seed": seed}
    for file in scenario_files(paths):
        show(Console(), Text("\n".join(Harness(Path.cwd()).rehearse(file.absolute(), **changes))))
    return 0


Execute = Callable[[Harness, Path, Mapping[str, Any]], Result]
"""Runs a scenario with changes."""


def _run_once(harness: Harness, file: Path, changes: Mapping[str, Any]) -> Result:
    return harness.run(file, **changes)


def run_scenarios(
    paths: list[Path],
    changes: Mapping[str, Any],
    json_file: Path | None,
    reports: Path | None,
    execute: Execute = _run_once,
) -> int:
    """Run them all; returns the exit code. A file that cannot be used stops everything before the first run."""
    to_stdout = json_file is not None and str(json_file) == "-"
    session = _Session(Console(stderr=to_stdout, highlight=False), Console(stderr=True, highlight=False), reports, execute)
    if json_file is not None and not to_stdout and not json_file.parent.is_dir():
        raise InvalidRequest(f"--json {json_file}: there is no folder {json_file.parent}")
    files = scenario_files(paths)
    session.check(files)
    if not session.codes:
        with session.abort.by_signals(signal.SIGTERM, signal.SIGUSR1):
            session.run(files, changes)
        session.conclude()
    code = gravest(session.codes)
    if json_file is not None:
        text = json.dumps({"exit_code": code, **session.plain()}, indent=2, default=str, ensure_ascii=False) + "\n"
        if to_stdout:
            sys.stdout.write(text)
        else:
            json_file.write_text(text, encoding="utf-8")
    return code


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM, which is how CI systems cancel, becomes an interruption like Ctrl-C: what was seen until then is kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Session:
    """What one call of the command has run so far."""

    def __init__(self, out: Console, errors: Console, reports: Path | None, execute: Execute) -> None:
        self._out, self._errors, self._reports, self._execute = out, errors, reports, execute
        self.codes: list[int] = []
        self.abort = Abort()
        self._digests: list[Digest] = []
        self._runs: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []

    def check(self, files: list[Path]) -> None:
        """Read every file before any is run: a mistake in the last should not show after minutes."""
        for file in files:
            try:
                Harness(Path.cwd()).check(file.absolute())
            except PortTaken:
                continue  # By the time of its run the port may be free.
            except InvalidRequest as error:
                self._failed(file, error, error.exit_code)

    def run(self, files: list[Path], changes: Mapping[str, Any]) -> None:
        """One after the other. An error ends its scenario and not the others, unless it would end them all; so does an abort."""
        for number, file in enumerate(files):
            if self.abort.by:
                self._errors.print(f"Aborted by {self.abort.by}; not run: {', '.join(map(str, files[number:]))}", soft_wrap=True)
                return
            try:
                self._run(file, changes)
            except KeyboardInterrupt as error:
                notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
                self._errors.print(Text(f"Interrupted.{notes}"), soft_wrap=True)
                self.codes.append(EXIT_INTERRUPTED)
                return
            except ReportsNotWritable as error:
                self._failed(file, error, error.exit_code)
                return
            except JobharnessBug as error:
                self._bug(file, error)
            except JobharnessError as error:
                self._failed(file, error, error.exit_code)
            except Exception as error:
                self._bug(file, error)

    def _run(self, file: Path, changes: Mapping[str, Any]) -> None:
        with progress_on(self._errors) as progress:
            result = self._execute(Harness(Path.cwd(), self._reports, progress, abort=self.abort), file.absolute(), changes)
        if result.aborted:
            self.abort.ask("the error budget")  # Unless somebody has asked: whoever it was, nothing more is begun.
        if self._digests:
            show(self._out, Rule(style="dim"))
        show(self._out, run_report(result))
        for note in result.notes:
            self._errors.print(Text(note), soft_wrap=True)
        short = digest(result)
        self._digests.append(short)
        self._runs.append({**short.plain(), **verdict_json(result)})
        self.codes.append(result.exit_code)

    def _failed(self, file: Path, error: JobharnessError, code: int) -> None:
        message = message_of(error)
        shown = message if str(file) in message else f"{file}: {message}"
        self._errors.print(Text.assemble(("error: ", "bold red"), shown), soft_wrap=True)
        self._failures.append({"source": str(file), "message": message, "exit_code": code})
        self.codes.append(code)

    def _bug(self, file: Path, error: Exception) -> None:
        note = bug_note(error, self._reports if self._reports is not None else Path("reports"))
        self._errors.print(Text(note), soft_wrap=True)
        self._failures.append({"source": str(file), "message": note, "exit_code": EXIT_BUG})
        self.codes.append(EXIT_BUG)

    def conclude(self) -> None:
        """The tables over all runs: only where there are several."""
        if len(self._digests) > 1:
            show(self._out, Rule(style="dim"))
            show(self._out, summary_table(self._digests))
        for comparison in comparisons(self._digests):
            show(self._out, Text())
            show(self._out, before_after_table(comparison))

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "runs": self._runs,
            "failures": self._failures,
            "comparisons": [asdict(comparison) for comparison in comparisons(self._digests)],
        }
