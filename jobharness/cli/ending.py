"""How every command ends: an error in one clear message and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from jobharness.errors import JobharnessBug, JobharnessError, message_of

__all__ = ["ended"]

EXIT_INTERRUPTED = 130
EXIT_BUG = 3


def ended(command: Callable[[], int], reports: Path | None = None) -> None:
    """Call the command and exit with its code, whatever happens."""
    errors = Console(stderr=True)
    try:
        code = command()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except JobharnessBug as error:
        code = _report_bug(errors, error, reports)
    except JobharnessError as error:
        errors.print(Text.assemble(("error: ", "bold red"), message_of(error)), soft_wrap=True)
        code = error.exit_code
    except BrokenPipeError:
        raise  # The reader of a pipe went away; typer ends quietly.
    except Exception as error:
        code = _report_bug(errors, error, reports)
    raise typer.Exit(code)


def _report_bug(errors: Console, error: Exception, reports: Path | None) -> int:
    from jobharness.report.bug import bug_note

    errors.print(Text(bug_note(error, reports if reports is not None else Path("reports"))), soft_wrap=True)
    return EXIT_BUG
