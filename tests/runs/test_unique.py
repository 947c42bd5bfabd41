"""Unique jobs, by the options of each library's own call: of several with one key only one waits."""

from pathlib import Path

import pytest

from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.scenario.load import scenario_from
from tests.support.environments import environment

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
CASES = {
    "arq": (["arq==0.28.0"], ".WorkerSettings", "succeed", {"job_id": "{row.customer}"}),
    "saq": (["saq[redis,postgres]==0.26.4"], ".settings", "succeed", {"key": "{row.customer}"}),
}


@pytest.mark.parametrize("library", CASES)
def test_a_job_whose_key_is_taken_is_refused_and_the_others_run(library, tmp_path):
    requirements, app, task, options = CASES[library]
    (tmp_path / "rows.csv").write_text("customer\nann\nbob\n")
    plain = {
        "title": f"unique on {library}",
        "queue": {
            "adapter": library,
            "app": f"scenarios.apps.conformance.{library}{app}",
            "env": {"BROKER_URL": "{broker.url}"},
            "python": str(environment(*requirements, python="python3.11")),
        },
        "broker": {"kind": "redis"},
        "workload": {
            "arrivals": {"process": "backlog", "jobs": 20},
            "duration": "1s",
            "job": [{"task": task, "kwargs": {"number": 1}, "options": options, "rows": str(tmp_path / "rows.csv")}],
        },
        "contract": {"delivery": "at-least-once", "recovery": "5s"},
    }
    result = Harness(ROOT, reports=tmp_path / "reports").run(scenario_from(plain, library))
    result.expect.verdict("holds")
    tally = result.history.tally
    refused, acknowledged = tally.count(Kind.ENQUEUE_REFUSED), tally.count(Kind.ENQUEUE_ACKNOWLEDGED)
    assert refused.sum() + acknowledged.sum() == 20
    assert (acknowledged >= 1).all()
    assert (tally.count(Kind.JOB_FINISHED) == acknowledged).all()
    assert refused.sum() >= 10
