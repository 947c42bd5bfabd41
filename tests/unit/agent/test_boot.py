"""The agent is loaded by environment alone, before the app, and hides nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobharness.agent
from jobharness.history import log
from jobharness.history.event import Kind

PATH = Path(jobharness.agent.__file__).parent / "path"


def run(code, tmp_path, path=(), **environment):
    """Run code in a fresh interpreter with the agent's folder first on its path; returns what it printed."""
    whole = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(PATH), *map(str, path)]),
        "JOBHARNESS_HISTORY": str(tmp_path / "records"),
        "JOBHARNESS_ROLE": "worker",
        "JOBHARNESS_NAME": "worker-1",
        **environment,
    }
    (tmp_path / "records").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code], env=whole, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_recorder_is_there_before_the_first_line_of_the_app(tmp_path):
    run("import sys; sys.modules['jobharness_agent'].boot.recorder.record(31)", tmp_path)
    history = log.gather(tmp_path / "records", {})
    assert history.events["kind"].to_list() == [Kind.WORKER_READY]
    assert history.processes["name"].to_list() == ["worker-1"]


def test_end_in_order_closes_the_recording(tmp_path):
    run("from jobharness_agent import boot; boot.recorder.record(31)", tmp_path)
    (path,) = (tmp_path / "records").glob("*.rec")
    assert log.read_record_file(path).closed


def test_without_its_variable_the_agent_records_nothing(tmp_path):
    assert run("from jobharness_agent import boot; print(boot.recorder)", tmp_path, JOBHARNESS_HISTORY="") == "None"


def test_nothing_of_the_harness_is_importable_or_loaded(tmp_path):
    """The app may live in an environment that has never heard of us; there our package must not appear."""
    seen = run("import sys, json; print(json.dumps(sorted(sys.modules)))", tmp_path)
    assert not [name for name in json.loads(seen) if name.split(".")[0] == "jobharness"]
    entries = run("import sys, json; print(json.dumps(sys.path))", tmp_path)
    assert [entry for entry in json.loads(entries) if entry.startswith(str(PATH.parents[1]))] == [str(PATH)]


def test_the_folder_on_the_path_holds_nothing_that_could_shadow_a_module_of_the_app():
    assert [path.name for path in PATH.iterdir() if path.name != "__pycache__"] == ["sitecustomize.py"]


def test_hidden_sitecustomize_is_run_too_after_the_agent(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys\nsys.hidden_was_run = 'jobharness_agent' in sys.modules\n")
    assert run("import sys; print(sys.hidden_was_run, sys.modules['sitecustomize'].__file__)", tmp_path, [site]) == (
        f"True {site / 'sitecustomize.py'}"
    )


def test_hidden_sitecustomize_that_fails_does_not_stop_the_agent(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("raise RuntimeError('broken by the team')\n")
    assert run("from jobharness_agent import boot; print(boot.recorder.name)", tmp_path, [site]) == "worker-1"


WATCHING = """
WATCH = {"colorsys": lambda recorder, settings: recorder.record(30, text=recorder.text(settings.get("word", "none")))}
"""


def test_library_given_by_path_is_attached_with_its_settings_once_its_module_is_imported(tmp_path):
    library = tmp_path / "my-queue.py"
    library.write_text(WATCHING)
    given = {"JOBHARNESS_LIBRARY": str(library), "JOBHARNESS_SETTINGS": '{"word": "given"}'}
    run("pass", tmp_path, **given)
    assert len(log.gather(tmp_path / "records", {})) == 0
    run("import colorsys", tmp_path, **given)
    history = log.gather(tmp_path / "records", {})
    assert [history.text(number) for number in history.events["text"]] == ["given"]


def test_child_interpreter_started_by_the_app_is_recorded_too(tmp_path):
    child = "from jobharness_agent import boot; boot.recorder.record(31)"
    run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", tmp_path)
    history = log.gather(tmp_path / "records", {})
    assert history.processes.height == 1 and history.processes["name"].to_list() == ["worker-1"]


@pytest.mark.parametrize("pool", ["fork", "spawn", "forkserver"])
def test_pool_child_records_under_its_workers_name(tmp_path, pool):
    script = tmp_path / "pool.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "def job(number):\n"
        "    from jobharness_agent import boot\n"
        "    boot.recorder.record(11, value=number)\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({pool!r})\n"
        "    children = [context.Process(target=job, args=(number,)) for number in range(3)]\n"
        "    [child.start() for child in children]\n"
        "    [child.join() for child in children]\n"
    )
    run(
        f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')"
        if pool == "fork"
        else f"import os, sys; os.execv(sys.executable, [sys.executable, {str(script)!r}])",
        tmp_path,
    )
    history = log.gather(tmp_path / "records", {})
    assert sorted(history.events["value"]) == [0, 1, 2]
    assert history.events["process"].n_unique() == 3
    assert set(history.processes["name"]) == {"worker-1"}
