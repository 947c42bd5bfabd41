"""The error tree: every exception that jobharness raises on purpose.

Three branches that a reader must tell apart:

- `InvalidRequest`: you asked for something invalid (exit code 2);
- `EnvironmentFailed`: this machine, a server or the app's surroundings failed (exit code 3, no verdict);
- `JobharnessBug`: jobharness is wrong; please report it.

A broken contract is a verdict and not an exception.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "Aborted",
    "AppFailed",
    "BrokerFailed",
    "CannotListen",
    "ClocksUnknown",
    "EnvironmentFailed",
    "EnvironmentNotBuilt",
    "ExtraMissing",
    "HistoryUnreadable",
    "InvalidRequest",
    "JobNeverSettled",
    "JobharnessBug",
    "JobharnessError",
    "LibraryMissing",
    "NodeUnreadable",
    "PortTaken",
    "ProcessFailed",
    "ReportsNotWritable",
    "RunUnreadable",
    "ScenarioInvalid",
    "TrafficUnreadable",
    "UnknownName",
    "message_of",
    "nearest",
]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def message_of(error: BaseException) -> str:
    """The whole message for the user: the error's own, then its notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


class JobharnessError(Exception):
    """Base of every error raised on purpose. `str()` is the whole message for the user."""

    exit_code = 3


class InvalidRequest(JobharnessError):
    """You asked for something invalid; nothing was started."""

    exit_code = 2


class EnvironmentFailed(JobharnessError):
    """The machine, a server or a process failed, so there is no verdict."""

    exit_code = 3


class JobharnessBug(JobharnessError):
    """jobharness is wrong; please report it with the run folder."""

    exit_code = 3


class ScenarioInvalid(InvalidRequest):
    """A scenario file cannot be used.

    Attributes: `source` (the file or object), `key` (dotted, or "" for the whole file), `problem`.
    """

    def __init__(self, source: str, key: str, problem: str) -> None:
        self.source, self.key, self.problem = source, key, problem
        where = f"{source}: {key}: " if key else f"{source}: "
        super().__init__(where + problem)


class UnknownName(InvalidRequest):
    """A name that no kind answers to. Attributes: `noun`, `name`, `known`."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        self.noun, self.name, self.known = noun, name, sorted(known)
        guess = nearest(name, self.known)
        hint = f" Did you mean {guess!r}?" if guess else ""
        listed = ", ".join(self.known) or "none"
        super().__init__(f"there is no {noun} called {name!r}.{hint} Known: {listed}.")


class ExtraMissing(InvalidRequest):
    """A package that an optional part needs is not installed. Attributes: `package`, `extra`."""

    def __init__(self, package: str, extra: str, needed_for: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            f"{needed_for} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'jobharness[{extra}]'"
        )


class LibraryMissing(InvalidRequest):
    """The app's environment lacks the queue library. Attributes: `library`, `python` (the interpreter of that environment)."""

    def __init__(self, library: str, python: str, command: str) -> None:
        self.library, self.python = library, python
        super().__init__(f"the environment of {python}, in which the app runs, has no {library}. Install it with: {command}")


class AppFailed(InvalidRequest):
    """The app under test could not be imported. Attribute: `traceback_text` (the app's own)."""

    def __init__(self, app: str, reason: str, traceback_text: str = "") -> None:
        self.app, self.traceback_text = app, traceback_text
        super().__init__(f"the app {app!r} {reason}" + (f"\n{traceback_text}" if traceback_text else ""))


class HistoryUnreadable(InvalidRequest):
    """A history file is truncated, foreign, or of a newer schema. Attribute: `path`."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ClocksUnknown(EnvironmentFailed):
    """How far a node's clock is from the master's cannot be told, so that its history cannot be merged.

    Attributes: `node`, `problem`.
    """

    def __init__(self, node: str, problem: str, remedy: str) -> None:
        self.node, self.problem = node, problem
        super().__init__(f"node {node}: {problem}; {remedy}")


class NodeUnreadable(InvalidRequest):
    """The folder of a node's records cannot be used. Attribute: `path`."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class RunUnreadable(InvalidRequest):
    """The folder of a run cannot be read: no run, damaged, or of a newer version. Attribute: `path`."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(f"{path} {problem}")


class Aborted(EnvironmentFailed):
    """A run was ended from outside, or by its own error budget; what it saw is kept. Attribute: `by` (who, in words)."""

    def __init__(self, by: str) -> None:
        self.by = by
        super().__init__(f"aborted by {by}")


class BrokerFailed(EnvironmentFailed):
    """No broker could be had, or it failed. Attribute: `log_tail` (its last lines)."""

    def __init__(self, problem: str, log_tail: str = "") -> None:
        self.log_tail = log_tail
        super().__init__(problem + (f"\nIts last lines:\n{log_tail}" if log_tail else ""))


class ProcessFailed(EnvironmentFailed):
    """A process that the run needs exited or never became ready. Attributes: `name`, `log_tail`."""

    def __init__(self, name: str, problem: str, log_tail: str = "") -> None:
        self.name, self.log_tail = name, log_tail
        super().__init__(f"{name} {problem}" + (f"\nIts last lines:\n{log_tail}" if log_tail else ""))


class EnvironmentNotBuilt(EnvironmentFailed):
    """pip could not install what a side of a comparison needs. Attributes: `requirements`, `last_lines` (pip's)."""

    def __init__(self, requirements: Sequence[str], last_lines: str) -> None:
        self.requirements, self.last_lines = tuple(requirements), last_lines
        super().__init__(f"no environment could be made with {', '.join(requirements)}. The last lines of pip:\n{last_lines}")


class CannotListen(EnvironmentFailed):
    """Nodes cannot be listened for at an address. Attribute: `address`."""

    def __init__(self, address: str, problem: str) -> None:
        self.address = address
        super().__init__(f"cannot listen on {address}: {problem}; choose another host or port")


class PortTaken(EnvironmentFailed):
    """A port that the scenario fixes is in use. Attributes: `port`, `holder` (may be "")."""

    def __init__(self, port: int, holder: str) -> None:
        self.port, self.holder = port, holder
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"port {port} on 127.0.0.1 is already in use{by}. "
            "Leave `port` out of the scenario to let jobharness choose a free one."
        )


class ReportsNotWritable(EnvironmentFailed):
    """The reports folder cannot be written. Attribute: `folder`."""

    def __init__(self, folder: str, reason: str) -> None:
        self.folder = folder
        super().__init__(
            f"cannot write reports to {folder}: {reason}. "
            "Choose another folder with --jobharness-reports (pytest) or --reports (jobharness run)."
        )


class JobNeverSettled(EnvironmentFailed):
    """A job on its own, with nothing going wrong, did not come to its end, so there is nothing to compare with."""

    def __init__(self, problem: str, story: Iterable[str]) -> None:
        self.story = tuple(story)
        super().__init__("\n".join([problem, *self.story]))


class TrafficUnreadable(EnvironmentFailed):
    """What passes between worker and broker cannot be cut into messages."""
