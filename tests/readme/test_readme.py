"""Every command and every example of the README does what the README says."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobharness.catalog import assemble
from jobharness.scenario.load import scenario_from

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands():
    """`(command, comment)` of every line of a console block."""
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    for line in lines:
        command, _, comment = line.partition("#")
        yield command.strip(), comment.strip()


def of(tool):
    return [pytest.param(command, comment, id=command) for command, comment in commands() if command.split()[0] == tool]


def run(command, folder, timeout_s=300):
    words = shlex.split(command)
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)


def test_every_command_of_the_readme_is_of_a_kind_that_is_tested_here():
    assert {command.split()[0] for command, _ in commands()} == {"make", "pip", "jobharness", "pytest"}


@pytest.mark.parametrize(("command", "comment"), of("make"))
def test_make_target_exists(command, comment):
    """They are what CI and every newcomer run; here they would run themselves."""
    assert run(f"{command} --dry-run", ROOT).returncode == 0


@pytest.mark.parametrize(("command", "comment"), of("pip"))
def test_extras_that_are_installed_exist(command, comment):
    (extras,) = re.findall(r"jobharness\[(.*?)\]", command)
    assert set(extras.split(",")) <= set(PYPROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize(("command", "comment"), [row for row in of("jobharness") if "init" not in row.id])
def test_command_of_the_runner_ends_as_the_readme_says(command, comment, tmp_path):
    expected = re.search(r"exit code (\d)", comment)
    real_run = command.split()[1] in ("run", "load", "crashmap", "leaseproof") and "--dry-run" not in command
    done = run(command + (f" --reports {tmp_path}" if real_run else ""), ROOT)
    assert done.returncode == (int(expected[1]) if expected else 0), done.stdout + done.stderr
    assert done.stdout


def test_three_lines_bring_a_project_its_first_scenarios(tmp_path):
    """`jobharness init`, and `pytest --jobharness` collects what it wrote."""
    (tmp_path / "shop.py").write_text(
        "from celery import Celery\n\napp = Celery('shop')\n\n\n@app.task\ndef charge():\n    pass\n"
    )
    begun = run("jobharness init", tmp_path)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    collected = run("pytest --jobharness --collect-only -q", tmp_path)
    assert collected.returncode == 0, collected.stdout + collected.stderr
    assert "scenarios/" in collected.stdout


def test_scenario_of_the_readme_can_be_run():
    (scenario,) = (block for block in blocks("toml") if "[queue]" in block)
    parts = assemble(scenario_from(tomllib.loads(scenario), "README.md"), ROOT)
    assert [contract.name for contract in parts.contracts] == [
        "observed", "faults_hit", "no_phantoms", "at_least_once", "attempts_bounded", "recovery",
    ]  # fmt: skip


def test_handwritten_test_of_the_readme_passes(tmp_path):
    (example,) = blocks("python")
    (tmp_path / "test_example.py").write_text(example)
    done = run(f"pytest {tmp_path}/test_example.py --rootdir {ROOT} --jobharness-reports {tmp_path} -q", ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
