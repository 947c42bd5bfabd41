"""The seven alarms on a real Prometheus and a real Alertmanager: each rings for its fault, and none without it."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.errors import EnvironmentFailed, InvalidRequest
from jobharness.harness import Harness
from jobharness.history.event import Kind
from tests.support.require import missing

ROOT = Path(__file__).parents[2]
SEVEN = {"WorkerDown", "NoWorker", "QueueGrowing", "OldestJobTooOld", "ErrorRate", "DeadLettersGrowing", "MemoryHigh"}

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Both scenarios, side by side: they mostly wait."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            missing(f"{program} is not on this machine")
    names = ("workers_gone", "jobs_fail")

    def run(name):
        return Harness(ROOT, tmp_path_factory.mktemp(name)).run(f"scenarios/alarms/{name}.toml")

    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(run, names), strict=True))


def test_each_of_the_seven_rings_for_its_fault_and_stays_quiet_without_it(results):
    rang = set()
    for result in results.values():
        assert result.verdict.word is Word.HOLDS, [f.sentence for f in result.verdict.findings]
        assert result.verdict["control"].sentence.startswith("without faults every contract held")
        texts = result.history.texts
        rang |= {texts[int(result.history.columns["text"][row])] for row in result.history.columns.rows(Kind.ALERT_FIRING)}
    assert rang == SEVEN


def test_alarms_are_told_to_be_over_once_the_workers_are_back(results):
    history = results["workers_gone"].history
    over = {history.text(int(history.columns["text"][row])) for row in history.columns.rows(Kind.ALERT_RESOLVED)}
    assert {"WorkerDown", "NoWorker"} <= over


def test_the_final_metrics_are_left_as_a_text_file(results):
    text = (results["jobs_fail"].folder / "metrics.prom").read_text(encoding="utf-8")
    assert "# TYPE jobharness_jobs_dead gauge" in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert "error" not in (checked.stdout + checked.stderr).lower(), checked


def small(**changes):
    return {"workload__duration": "1s", "control": False, **changes}


def test_a_silent_alarm_breaks_its_contract(tmp_path):
    """The same fault, and rules that look the other way."""
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: jobs, rules: [{alert: WorkerDown, expr: vector(0) > 1}]}]")
    alert = [{"name": "WorkerDown", "within": "2s"}]
    fault = [{"kind": "kill", "target": "all", "at": "200ms"}]
    result = Harness(ROOT, tmp_path).run(
        "scenarios/alarms/workers_gone.toml",
        **small(prometheus={"rules": [str(rules)]}, contract={"alert": alert}, fault=fault, queue__restart_delay="1s"),
    )
    finding = result.verdict["alarm WorkerDown"]
    assert finding.word is Word.BROKEN
    assert finding.sentence.startswith("it stayed silent for ")


def test_an_alarm_that_always_rings_breaks_the_promise_of_quiet(tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: jobs, rules: [{alert: WorkerDown, expr: vector(1) > 0}]}]")
    result = Harness(ROOT, tmp_path).run(
        "scenarios/alarms/workers_gone.toml",
        **small(prometheus={"rules": [str(rules)]}, contract={"alert": [{"name": "WorkerDown", "within": "2s"}]}, fault=[]),
    )
    finding = result.verdict["alarms_quiet"]
    assert (finding.word, finding.sentence) == (Word.BROKEN, "WorkerDown rang, though nothing went wrong")


def test_an_alert_that_no_rule_defines_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(InvalidRequest, match=r"no rule defines 'WorkerDwn'; did you mean 'WorkerDown'.*NoWorker"):
        Harness(ROOT, tmp_path).run(
            "scenarios/alarms/workers_gone.toml", **small(contract={"alert": [{"name": "WorkerDwn", "within": "2s"}]})
        )


def test_rules_that_promtool_refuses_are_refused_with_its_words(tmp_path):
    rules = tmp_path / "rules.yml"
    rules.write_text("groups: [{name: jobs, rules: [{alert: A, expr: 'sum('}]}]")
    with pytest.raises(InvalidRequest, match="promtool refuses them"):
        Harness(ROOT, tmp_path).run("scenarios/alarms/workers_gone.toml", **small(prometheus={"rules": [str(rules)]}))


def test_a_machine_without_prometheus_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailed, match="apt-get install prometheus"):
        Harness(ROOT, tmp_path).check("scenarios/alarms/workers_gone.toml")
