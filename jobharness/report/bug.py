"""What a person sees when jobharness itself is wrong: that it is, where the details are, and how to report it."""

from __future__ import annotations

import platform
import tempfile
import traceback
from pathlib import Path

import jobharness
from jobharness.clock import utc_now

__all__ = ["bug_note"]


def bug_note(error: BaseException, reports: Path) -> str:
    """Write the details into a file under `reports` (or the temporary folder, where that cannot be written) and say so in three
    lines."""
    name = f"jobharness-bug-{utc_now():%Y%m%d-%H%M%S}.txt"
    about = f"jobharness {jobharness.__version__}, Python {platform.python_version()}, {platform.platform()}\n\n"
    details = about + "".join(traceback.format_exception(error))
    place = _write(details, (reports / name, Path(tempfile.gettempdir()) / name))
    what = str(error).splitlines()[0] if str(error) else "no message"
    return (
        f"This is a bug in jobharness, not in your app or scenario: {type(error).__name__}: {what}\n"
        f"The details are in {place or 'the text below'}.\n"
        "Please report it to the maintainers of jobharness with that file and, where there is one, the run's folder."
        + ("" if place else f"\n\n{details}")
    )


def _write(details: str, places: tuple[Path, ...]) -> Path | None:
    for place in places:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(details, encoding="utf-8")
        except OSError:
            continue
        return place
    return None
