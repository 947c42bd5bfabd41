"""A finished run, small and made by hand, for what reads one."""

import pytest

from jobharness.report.digest import Digest


@pytest.fixture
def run():
    """The digest of a run that lost a job."""
    lost = {"value": 1, "unit": "jobs", "count": 1, "better": "lower"}
    return Digest(
        title="A worker <dies>", source="scenarios/a.toml", before="", seed=1, verdict="broken", sentence="1 of 3 jobs were lost",
        known_gap="", exit_code=1, folder="reports/1", repeat="jobharness run scenarios/a.toml", story=("lost: so it was",),
        metrics={"jobs.lost": lost, "latency.p95": {**lost, "value": 0.5, "unit": "s"}}, variables={}, promises={}, finished_at="",
    )  # fmt: skip
