"""`jobharness compare`: runs that were made before, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jobharness.cli.ab import Outlets, conclude, limits_of, typed_command
from jobharness.cli.run import gravest
from jobharness.compare.apart import compare_saved
from jobharness.compare.saved import SavedRuns, find
from jobharness.errors import InvalidRequest
from jobharness.report.digest import Digest

__all__ = ["compare_runs"]


def compare_runs(names: tuple[str, str], fail: Sequence[str], reason: str, outlets: Outlets, reports: Path | None) -> int:
    """Print a trial for each scenario that both have; returns the gravest exit code.

    Raises: UnknownName for runs that are not there; InvalidRequest where both have no scenario in common.
    """
    outlets.check()
    limits, place, project = limits_of(fail), reports or Path("reports"), Path.cwd()
    before, after = (find(place, name, project) for name in names)
    trials = [compare_saved(names, left, right, limits, project, typed_command(), reason) for left, right in _both(before, after)]
    if len(trials) > 1 and (outlets.markdown or outlets.json_file):
        raise InvalidRequest(f"{len(trials)} scenarios are compared, and --markdown and --json take one; name a run of each side")
    return gravest([conclude(one, outlets) for one in trials])


def _both(before: SavedRuns, after: SavedRuns) -> Iterator[tuple[list[Digest], list[Digest]]]:
    """The runs of each scenario that both sides have. Where both have only one, they are compared whatever they are called."""
    if len(before.sources) == len(after.sources) == 1:
        yield list(before.runs), list(after.runs)
        return
    shared = [source for source in after.sources if source in before.sources]
    if not shared:
        both = f"{', '.join(before.sources)}; and {', '.join(after.sources)}"
        raise InvalidRequest(f"{before.name} and {after.name} have no scenario in common: {both}")
    for source in shared:
        yield before.of(source), after.of(source)
