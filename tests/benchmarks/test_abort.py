"""How soon nothing is broken any more after a run was aborted."""

from statistics import median

from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.runner.abort import Abort
from jobharness.scenario.load import scenario_from
from tests.runs.test_abort import BROKEN, Onlooker, rows

NAPS = """
import os, time
from celery import Celery

app = Celery("naps", broker=os.environ["CELERY_BROKER_URL"])

@app.task(name="naps.nap")
def nap(seconds):
    time.sleep(seconds)
"""


def healed_after_s(folder, number):
    """One run with a paused worker, a full broker and a worker that cannot reach it, aborted when all three are so."""
    project = folder / str(number)
    project.mkdir()
    (project / "naps.py").write_text(NAPS, encoding="utf-8")
    arrivals = {"process": "constant", "rate": "20/s"}
    scenario = scenario_from(
        {
            "title": "everything is broken",
            "queue": {
                "adapter": "celery",
                "app": "naps:app",
                "pool": "solo",
                "workers": 2,
                "env": {"CELERY_BROKER_URL": "{broker.url}"},
            },
            "broker": {"kind": "redis"},
            "workload": {"arrivals": arrivals, "duration": "60s", "job": [{"task": "naps.nap", "args": [0.02]}]},
            "fault": BROKEN,
        },
        "a benchmark",
    )
    abort = Abort()
    result = Harness(project, progress=Onlooker(3, lambda: abort.ask("a benchmark")), abort=abort).run(scenario)
    (aborted,) = rows(result.history, Kind.RUN_ABORTED)
    ends = rows(result.history, Kind.FAULT_END)
    assert len(ends) == len(BROKEN)
    return (max(row["time_ns"] for row in ends) - aborted["value"]) / 1e9


def test_aborted_run_is_healed_within_two_seconds(figure, tmp_path):
    took = [healed_after_s(tmp_path, number) for number in range(5)]
    figure("from the call that aborts a run to the last fault healed", max(took), 2.0, "s", f"longest of 5 runs with a paused worker, a full Redis and a partition; median {median(took) * 1000:.0f} ms")  # fmt: skip
