"""Crash maps of apps with a schedule of their own that comes due every second: what a tick says is no step of the job."""

import re

import pytest

from jobharness.explore.outcome import Word
from jobharness.harness import Harness
from jobharness.scenario.load import scenario_from
from tests.runs.conftest import APPS
from tests.support.ticks import ticking

pytestmark = pytest.mark.real

# Of each library its task, and what makes an idle worker look for jobs while it is listened to.
TASKS = {
    "procrastinate": ("work", {"fetch_job_polling_interval": 0.5}),
    "pgqueuer": ("work", {"dequeue_timeout": 1.0}),
    "apscheduler": ("ticks_apscheduler:work", {}),
}


def _mapped(library, folder, every_s, **crashmap):
    """The map of one job of an app that ticks every so often; 0: never."""
    task, settings = TASKS[library]
    queue, broker, *_ = ticking(library, EVERY_S=str(every_s))
    plain = {
        "title": f"{library}, a tick every {every_s} s",
        # One worker: two schedulers of APScheduler on one job store run everything twice.
        "queue": {**queue, "workers": 1, "settings": settings},
        "broker": {"kind": broker},
        "workload": {
            "arrivals": {"rate": "1/s"},
            "duration": "1s",
            "job": [{"task": task, "kwargs": {"number": 1}}],
        },
        "contract": {"delivery": "at-least-once"},
        "crashmap": {"tries": 1, "recovery": "2s", **crashmap},
    }
    return Harness(APPS, folder / str(every_s)).crash_map(scenario_from(plain, library))


@pytest.mark.parametrize("library", TASKS)
def test_map_of_an_app_with_a_schedule_has_the_steps_of_the_app_without_and_tells_at_each(library, tmp_path):
    # Of the one without nothing but the steps is asked.
    without = _mapped(library, tmp_path, every_s=0, budget="0s")
    chart = _mapped(library, tmp_path, every_s=1)
    # Beside them there may be what a new connection says, in one or the other.
    assert [step.alike for step in chart.steps if step.names_job] == [step.alike for step in without.steps if step.names_job]
    assert [step.words for step in chart.steps if re.search("periodic|schedules|tidy_up", step.words)] == []
    untold = {tried.point.sentence(): tried.worst.where for tried in chart.tried if tried.worst.word is Word.UNKNOWN}
    assert untold == {}
    assert chart.control.worst.word is Word.ONCE
