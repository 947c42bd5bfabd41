"""What docs/alarms.md says can be typed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobharness.integrations.inbox import Inbox
from jobharness.scenario.load import load_scenario, scenario_from

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alarms.md").read_text(encoding="utf-8")
TABLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^\$ (jobharness .*?)(?: +#.*)?$", PAGE, re.MULTILINE)


def jobharness(*words):
    return subprocess.run(
        [Path(sys.executable).parent / "jobharness", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_command_of_the_page_is_tried():
    runs = [command.split()[2] for command in COMMANDS if command.startswith("jobharness run ")]
    assert {f"scenarios/alarms/{name}.toml" for name in ("workers_gone", "jobs_fail")} == set(runs)  # By test_alarms.
    assert [command.split()[1] for command in COMMANDS if command.split()[1] != "run"] == ["alarms", "spans"]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_of_the_page_fits_into_a_scenario(table):
    whole = load_scenario(ROOT / "scenarios" / "alarms" / "workers_gone.toml").model_dump(exclude_unset=True, by_alias=True)
    for name, part in tomllib.loads(table).items():
        whole[name] = {**whole.get(name, {}), **part} if isinstance(part, dict) else part
    assert scenario_from(whole, "docs/alarms.md")


@pytest.mark.real
def test_alarms_prints_rules_that_promtool_takes(tmp_path):
    printed = jobharness("alarms")
    assert printed.returncode == 0, printed.stderr
    rules = tmp_path / "alarms.yml"
    rules.write_text(printed.stdout)
    checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "7 rules found" in checked.stdout


def test_spans_sends_a_kept_run():
    inbox = Inbox()
    try:
        done = jobharness("spans", "reports/sample", "--otlp", f"http://127.0.0.1:{inbox.port}/v1/traces")
        assert done.returncode == 0, done.stderr
        assert re.match(r"\d+ spans of 204 jobs to http://127.0.0.1", done.stdout)
        assert inbox.take()
    finally:
        inbox.close()
