"""The page on workloads: its scenarios can be assembled and planned, its commands do what it says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobharness.catalog import assemble
from jobharness.processes.ports import free_port
from jobharness.scenario.load import scenario_from
from jobharness.workload.plan import planned_jobs
from jobharness.workload.trace import read_trace
from tests.support.redis_server import redis_server

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
SCENARIOS = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", TEXT, re.DOTALL))
COMMANDS = re.findall(r"^\$ (jobharness record .*)$", TEXT, re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """A project with what the page's examples name."""
    (tmp_path / "customers.csv").write_text("customer,city\nann,Ulm\nbob,Bonn\n")
    (tmp_path / "trace.jsonl").write_text('{"at_s": 0, "task": "shop.charge", "run_time_s": 0.5, "size_bytes": 70}\n')
    (tmp_path / "jobs.csv").write_text("created_at,name,tenant\n2026-01-01T00:00:00,shop.charge,7\n")
    span = {"spanId": "a", "kind": 4, "name": "shop.mail", "startTimeUnixNano": "1000", "endTimeUnixNano": "1100"}
    (tmp_path / "spans.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    shutil.copytree(ROOT / "reports" / "sample", tmp_path / "reports" / "sample")
    return tmp_path


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_of_the_page_is_assembled_and_planned(name, folder):
    parts = assemble(scenario_from(tomllib.loads(SCENARIOS[name]), name), folder)
    assert next(planned_jobs(parts.scenario.workload, 1, project=folder))


def test_the_replay_of_the_page_sends_twice_as_much_with_run_time_and_size(folder):
    workload = scenario_from(tomllib.loads(SCENARIOS["replay.toml"]), "page").workload
    jobs = list(planned_jobs(workload, 1, project=folder))
    told = [(job["task"], job["kwargs"]["seconds"], job["kwargs"]["size_bytes"], len(job["kwargs"]["body"])) for job in jobs]
    assert told == [("shop.charge", 0.5, 70, 70)] * 2


def test_every_command_of_the_page_does_what_it_says(folder, tmp_path_factory):
    assert len(COMMANDS) == 6
    celery, agent, *others = [shlex.split(command) for command in COMMANDS]
    printed = _run(agent, folder).stdout
    # A process of the user's own, with that environment.
    send = "from jobharness_agent import boot, events\nr = boot.recorder\nr.record(events.ENQUEUE_BEGIN, r.job('a')[0], task=r.text('t'))"
    shell = f'eval "$1"; exec {shlex.quote(sys.executable)} -c "$2"'
    subprocess.run(["bash", "-c", shell, "own", printed, send], check=True, env=dict(os.environ))
    for command in others:
        said = _run(command, folder).stdout
        out = command[command.index("--out") + 1]
        assert said.startswith(f"{out}: {len(read_trace(folder / out))} jobs in ")
    with redis_server(tmp_path_factory.mktemp("redis"), free_port()) as url:
        short = [{"redis://127.0.0.1:6379/0": url, "10m": "500ms"}.get(word, word) for word in celery]
        heard = _run(short, folder, code=2)  # Nothing runs there.
        assert "heard 0 events of tasks and no arrival, so nothing was written" in heard.stderr


def _run(words, folder, code=0):
    script = Path(sys.executable).with_name(words[0])
    done = subprocess.run([script, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done
