"""`jobharness spans`: the life of each job, to OpenTelemetry."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from jobharness.cli.report import run_folder
from jobharness.errors import EnvironmentFailed, ExtraMissing
from jobharness.report.account import of_folder

__all__ = ["export_spans"]


def export_spans(run: str, reports: Path, otlp: str) -> int:
    """Send the spans of a run and say how many. Raises: UnknownName, RunUnreadable, ExtraMissing, EnvironmentFailed."""
    account = of_folder(run_folder(run, reports))
    if importlib.util.find_spec("opentelemetry") is None:
        raise ExtraMissing("opentelemetry-sdk", "opentelemetry", "spans")
    from jobharness.integrations.spans import send_spans

    try:
        sent = send_spans(account.history, account.about, otlp)
    except ConnectionError as error:
        raise EnvironmentFailed(str(error)) from error
    sys.stdout.write(f"{sent} spans of {account.history.jobs.height} jobs to {otlp}\n")
    return 0
