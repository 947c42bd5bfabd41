"""The agent runs under every Python that an app may live in, and its records are read back here."""

import json
import os
import subprocess

import pytest

from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.runner.surroundings import AGENT_PATH
from tests.agent.crashes import crash, damage
from tests.support.interpreters import VERSIONS, interpreter

pytestmark = pytest.mark.real


@pytest.fixture(params=VERSIONS)
def python(request):
    """An interpreter of each version. Debian has one version only, so an absent one is no failure even where everything is required."""
    path = interpreter(request.param)
    if path is None:
        pytest.skip(f"there is no Python {request.param} on this machine")
    return path


EVERYTHING = """
import json, os, pkgutil, importlib, sys, threading
import jobharness_agent
from jobharness_agent import boot, intent
for module in pkgutil.iter_modules(jobharness_agent.__path__):
    importlib.import_module("jobharness_agent." + module.name)
for module in pkgutil.iter_modules(importlib.import_module("jobharness_agent.libraries").__path__):
    importlib.import_module("jobharness_agent.libraries." + module.name)
recorder = boot.recorder
key, text = recorder.job("order:17")
recorder.record(10, key, -5, 2, recorder.text("shop.charge"), text)
threads = [threading.Thread(target=recorder.record, args=(11, key, number)) for number in range(20)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
child = os.fork()
if child == 0:
    recorder.record(12, key, 7, 0, 0, recorder.text("of the child"))
    os._exit(0)
os.waitpid(child, 0)
import colorsys
print(json.dumps(["%d.%d" % sys.version_info[:2], sorted(name for name in sys.modules if name.split(".")[0] in ("jobharness", "celery"))]))
"""

LIBRARY = """
WATCH = {"colorsys": lambda recorder, settings: recorder.record(31, text=recorder.text(settings["word"]))}
"""


def test_agent_is_imported_records_and_is_read_back(python, tmp_path):
    records = tmp_path / "records"
    records.mkdir()
    library = tmp_path / "own_queue.py"
    library.write_text(LIBRARY)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(AGENT_PATH), "PYTHONWARNINGS": "error", "JOBHARNESS_HISTORY": str(records), "JOBHARNESS_ROLE": "worker",
        "JOBHARNESS_NAME": "worker-1", "JOBHARNESS_LIBRARY": str(library), "JOBHARNESS_SETTINGS": json.dumps({"word": "attached"}),
    }  # fmt: skip
    done = subprocess.run(
        [python, "-W", "ignore::DeprecationWarning:os", "-c", EVERYTHING],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, foreign = json.loads(done.stdout)
    assert foreign == [] and interpreter(version) == python
    history = log.gather(records, {})
    rows = history.events.select("kind", "value", "attempt", "task", "text").rows()
    assert (Kind.JOB_RECEIVED, -5, 2) in {row[:3] for row in rows}
    assert sorted(value for kind, value, *_ in rows if kind == Kind.JOB_RUNNING) == list(range(20))
    assert [history.text(text) for kind, *_, text in rows if kind in (Kind.JOB_FINISHED, Kind.WORKER_READY)] == [
        "of the child",
        "attached",
    ]
    assert history.job_id(0) == "order:17" and history.processes["failed"].to_list() == [False, False]


def test_killed_writer_has_lost_nothing(python, tmp_path):
    for kill, instant in enumerate((3, 40, 700)):
        folder = tmp_path / str(kill)
        assert damage(folder, crash(folder, "shipped", 1, 16, instant, python)) == []
