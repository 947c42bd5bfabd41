"""The page on gates: its command is run, its step is a step, and what it says of `ab` is what `ab` says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

PAGE = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")


def jobharness(folder, *words):
    command = [Path(sys.executable).parent / "jobharness", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_writes_the_workflow_and_a_second_time_nothing(tmp_path):
    (command,) = re.findall(r"^\$ (jobharness .*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    (tmp_path / "shop.py").write_text(
        "from celery import Celery\n\napp = Celery('shop')\n\n\n@app.task\ndef charge():\n    pass\n"
    )
    first = jobharness(tmp_path, *shlex.split(command)[1:])
    assert first.returncode == 0, first.stderr
    assert "written   .github/workflows/jobharness.yml" in first.stdout
    again = jobharness(tmp_path, *shlex.split(command)[1:])
    assert "kept      .github/workflows/jobharness.yml was there already" in again.stdout


def test_the_step_for_a_pull_request_has_only_options_that_exist(tmp_path):
    ((step,),) = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
    told = jobharness(tmp_path, "ab", "--help").stdout
    assert all(word in told for word in shlex.split(step["run"]) if word.startswith("--"))
