"""The health URL of a real service, asked while no worker is there."""

from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.errors import ScenarioInvalid
from jobharness.harness import Harness
from jobharness.scenario.load import scenario_from

ROOT = Path(__file__).parents[2]


@pytest.mark.real
def test_a_health_url_that_knows_nothing_of_the_workers_is_found_out(tmp_path):
    result = Harness(ROOT, tmp_path).run("scenarios/alarms/health_lies.toml")
    finding = result.verdict["health_honest"]
    assert finding.word is Word.BROKEN
    # It is asked ten times a second, and the workers were away for the four of `restart_delay` and the time they take to start.
    assert finding.counts["longest_ms"] > 2000
    assert finding.counts["away_ms"] >= 4000


def test_health_without_a_service_is_refused():
    plain = {
        "title": "no service",
        "queue": {"adapter": "celery", "app": "a:b"},
        "broker": {"kind": "redis"},
        "workload": {"arrivals": {"process": "constant", "rate": "1/s"}, "duration": "1s", "job": [{"task": "a.b"}]},
        "contract": {"health": "2s"},
    }
    with pytest.raises(ScenarioInvalid, match="judges the health URL of a service, but the scenario has no"):
        scenario_from(plain, "a test")
