"""The page that builds an adapter: the package is installed as the page has it, found by its entry point, and judged by the kit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
FILES = {
    found[1]: found[2]
    for found in re.finditer(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
}

BROKER = """
from jobharness.brokers.sqlite import SqliteBroker

class TinyFile(SqliteBroker):
    kind = "tinyfile"
"""
BROKER_ENTRY = """
[project.entry-points."jobharness.brokers"]
tinyfile = "tinyq_jobharness.broker:TinyFile"
redis = "tinyq_jobharness.broker:TinyFile"
"""

pytestmark = pytest.mark.real


def test_adapter_of_the_page_takes_under_sixty_lines():
    lines = (FILES["tinyq_jobharness/agent.py"] + FILES["tinyq_jobharness/adapter.py"]).splitlines()
    assert len([line for line in lines if line.strip()]) < 60


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the page's files; the two packages are installed beside it, as pip installs them."""
    source, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name, text in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    (source / "tinyq_jobharness" / "__init__.py").touch()
    # The page says that a kind of broker is added in the same way; one is.
    (source / "tinyq_jobharness" / "broker.py").write_text(BROKER, encoding="utf-8")
    with (source / "pyproject.toml").open("a", encoding="utf-8") as more:
        more.write(BROKER_ENTRY)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(installed), str(source)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    project = tmp_path_factory.mktemp("project")
    for name in ("tinyq_app.py", "test_tinyq.py"):
        (project / name).write_text(FILES[name], encoding="utf-8")
    return project, installed


def run(project, *command):
    folder, installed = project
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_kit_finds_no_fault_with_the_adapter_of_the_page(project):
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider", "test_tinyq.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^13 passed", done.stdout, re.MULTILINE), done.stdout


def ask(project, question):
    folder, installed = project
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run([sys.executable, "-c", question], cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_queue_of_a_third_party_is_found_by_its_entry_point(project):
    done = ask(project, "from jobharness.catalog import queue_kind; print(queue_kind('tinyq').library)")
    assert done.stdout == "tinyq\n", done.stderr


def test_broker_of_a_third_party_is_found_by_its_entry_point(project):
    done = ask(project, "from jobharness.catalog import broker_kind; print(broker_kind('tinyfile').kind)")
    assert done.stdout == "tinyfile\n", done.stderr


def test_no_third_party_takes_the_name_of_a_kind_of_ours(project):
    done = ask(project, "from jobharness.catalog import broker_kind; print(broker_kind('redis').__module__)")
    assert done.stdout == "jobharness.brokers.redis\n", done.stderr


def test_doctor_lists_the_pairs_of_a_third_party(project):
    done = run(project, "jobharness.cli.main", "doctor")
    assert "tinyq on sqlite" in done.stdout, done.stdout + done.stderr


DEFECTS = {
    "a finish that is not told": ('"finished": events.JOB_FINISHED,', '"finished": events.JOB_SETTLED,'),
    "an id of its own making": ("recorder.job(job[0])", 'recorder.job("tinyq-" + job[0])'),
}


@pytest.mark.parametrize(("old", "new"), DEFECTS.values(), ids=DEFECTS)
def test_kit_finds_the_fault_that_is_planted(project, old, new):
    agent = project[1] / "tinyq_jobharness" / "agent.py"
    sound = agent.read_text()
    assert old in sound
    agent.write_text(sound.replace(old, new))
    try:
        done = run(project, "pytest", "-q", "-p", "no:cacheprovider", "test_tinyq.py")
    finally:
        agent.write_text(sound)
    assert done.returncode == 1, done.stdout + done.stderr
