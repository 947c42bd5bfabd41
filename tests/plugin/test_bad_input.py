"""What a person sees when they get something wrong: the same words from `jobharness run` and from `pytest --jobharness`, never our traceback."""

import socket
import venv

import pytest

from tests.support.project import KILL, SCENARIO

OUR_CODE = "jobharness/"

# File name -> content and the words that must be shown, all of it on reading the file.
UNREADABLE = {
    "unknown_key": (SCENARIO.replace("[queue]", "[queue]\nwrokers = 2"), "queue.wrokers: unknown key; did you mean 'workers'?"),
    "wrong_type": (SCENARIO.replace("[queue]", '[queue]\nworkers = "two"'), "queue.workers: must be a whole number, not 'two'"),
    "bad_duration": (SCENARIO.replace('"1s"', '"1 fortnight"', 1), "workload.duration: '1 fortnight' is not a duration; write a number with its unit"),
    "missing_app": (SCENARIO.replace('app = "tiny:app"\n', ""), "queue.app: is missing"),
    "empty": ("", "is empty; a scenario needs at least title, [queue], [broker] and [workload]"),
    "latin": ("title = 'caf\xe9'".encode("latin-1"), "is not UTF-8 (byte 12); save it as UTF-8"),
    "not_toml": ("title = \n", "is not TOML: Invalid value (at line 1, column 9)"),
}  # fmt: skip

# What reading alone cannot tell: the command line says it before the first run, pytest when the item runs.
UNUSABLE = {
    "unknown_queue": (SCENARIO.replace('"celery"', '"celary"'), "queue.adapter: there is no queue adapter called 'celary'. Did you mean 'celery'?"),
    "no_such_pair": (SCENARIO.replace('kind = "redis"', 'kind = "postgres"'), "broker.kind: celery does not run on 'postgres' here; it runs on: redis, rabbitmq, sqlite"),
    "unknown_fault": (SCENARIO + KILL.replace('"kill"', '"kil"'), "fault[0].kind: there is no kind of fault called 'kil'. Did you mean 'kill'?"),
    "unknown_metric": (SCENARIO + '[gate]\n"latency.p96" = { max = "1s" }', "there is no such metric; did you mean 'latency.p99'?"),
}  # fmt: skip

# The app is never reached, since its environment lacks the library: the harness's own, or one that the scenario names.
NO_LIBRARY = SCENARIO.replace('"celery"', '"django-q2"').replace('pool = "solo"\n', "").replace("arguments", "# arguments")
NO_LIBRARY = NO_LIBRARY.replace('kind = "redis"', 'kind = "sqlite"')

# What only the app, the machine or the queue can tell.
APP_FAILS = "def helper():\n    return {}['nope']\n\n\nhelper()\n"
FAILING = {
    "no_module": (SCENARIO.replace('"tiny:app"', '"tinny:app"'), ["ModuleNotFoundError: No module named 'tinny'"]),
    "no_attribute": (SCENARIO.replace('"tiny:app"', '"tiny:shop"'), ["AttributeError: module 'tiny' has no attribute 'shop'"]),
    "app_raises": (
        SCENARIO.replace('"tiny:app"', '"app_that_fails:app"'),
        ['app_that_fails.py", line 5, in <module>', "return {}['nope']", "KeyError: 'nope'"],
    ),
    "no_library": (NO_LIBRARY, ["has no django-q2. Install it with: pip install 'jobharness[django-q2]'"]),
    "no_library_there": (
        SCENARIO.replace("[queue]", '[queue]\npython = "bare"'),
        ["bare/bin/python, in which the app runs, has no celery. Install it with: ", "bare/bin/python -m pip install celery"],
    ),
    "unknown_task": (SCENARIO.replace("tiny.quick", "tiny.quik"), ["'tiny.quik'. Did you mean 'tiny.quick'?"]),
    "worker_exits": (
        SCENARIO.replace('"--without-gossip"', '"--no-such-option"'),
        ["worker-1 exited with code 2 before it was ready", "Its last lines:", "No such option '--no-such-option'"],
    ),
}


def write_all(project, cases):
    for name, (content, _) in cases.items():
        project.write(f"scenarios/{name}.toml", content)


@pytest.fixture(scope="module")
def unreadable(shared_project):
    write_all(shared_project, UNREADABLE)
    return shared_project.jobharness("run", "scenarios"), shared_project.pytest("--jobharness")


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_scenario_is_named_with_its_mistake(unreadable, name):
    command, pytest_run = unreadable
    assert command.returncode == 2
    assert pytest_run.returncode == pytest.ExitCode.INTERRUPTED
    for output in (command.stderr, pytest_run.stdout):
        assert f"scenarios/{name}.toml: {UNREADABLE[name][1]}" in output


def test_unreadable_scenarios_show_no_traceback_and_start_nothing(unreadable, shared_project):
    for run in unreadable:
        assert "Traceback" not in run.stdout + run.stderr
        assert OUR_CODE not in run.stdout.replace("/jobharness/pytest", "")
    assert not (shared_project.folder / "reports").exists()


@pytest.fixture(scope="module")
def unusable(tmp_path_factory):
    from tests.support.project import Project

    project = Project(tmp_path_factory.mktemp("unusable"))
    write_all(project, UNUSABLE)
    return project.jobharness("run", "scenarios"), project.pytest("--jobharness")


@pytest.mark.parametrize("name", UNUSABLE)
def test_unknown_name_is_answered_with_the_nearest(unusable, name):
    command, pytest_run = unusable
    assert (command.returncode, pytest_run.returncode) == (2, pytest.ExitCode.TESTS_FAILED)
    for output in (command.stderr, pytest_run.stdout):
        assert UNUSABLE[name][1] in output
        assert f"scenarios/{name}.toml" in output
        assert "Traceback" not in output


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    from tests.support.project import Project

    project = Project(tmp_path_factory.mktemp("failing"))
    project.write("app_that_fails.py", APP_FAILS)
    venv.create(project.folder / "bare", with_pip=False)
    write_all(project, FAILING)
    return project.jobharness("run", "scenarios"), project.pytest("--jobharness", "-rN"), project


@pytest.mark.real
@pytest.mark.parametrize("name", FAILING)
def test_failure_of_app_or_worker_shows_its_own_words(failing, name):
    command, pytest_run, _ = failing
    assert (command.returncode, pytest_run.returncode) == (2, pytest.ExitCode.TESTS_FAILED)
    for output in (command.stderr, pytest_run.stdout):
        assert f"scenarios/{name}.toml: " in output
        for words in FAILING[name][1]:
            assert words in output


@pytest.mark.real
def test_only_the_apps_own_traceback_is_shown_and_once(failing):
    command, pytest_run, _ = failing
    for output in (command.stderr, pytest_run.stdout):
        assert output.count("Traceback (most recent call last):") == 1
        assert "celery/" not in output
        assert "run.py" not in output


@pytest.mark.real
def test_run_that_was_invalid_leaves_no_folder_and_one_that_failed_keeps_its_logs(failing):
    command, _, project = failing
    folders = sorted(folder.name for folder in (project.folder / "reports").iterdir() if folder.is_dir())
    assert all("worker-exits" in name for name in folders)
    assert len(folders) == 2
    for folder in folders:
        assert "No such option" in (project.folder / "reports" / folder / "logs/worker-1.log").read_text()
    assert any(f"with the log of every process: reports/{name}" in command.stderr for name in folders)


@pytest.fixture
def taken_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_taken_port_is_named_and_is_no_verdict(project, taken_port):
    project.write("scenarios/port.toml", SCENARIO.replace('kind = "redis"', f'kind = "redis"\nport = {taken_port}'))
    command, pytest_run = project.jobharness("run", "scenarios"), project.pytest("--jobharness")
    assert (command.returncode, pytest_run.returncode) == (3, pytest.ExitCode.TESTS_FAILED)
    for output in (command.stderr, pytest_run.stdout):
        assert f"scenarios/port.toml: port {taken_port} on 127.0.0.1 is already in use" in output
        assert "Leave `port` out of the scenario to let jobharness choose a free one." in output
        assert "Traceback" not in output


def test_reports_that_cannot_be_written_are_named_once(project):
    project.write("scenarios/one.toml", SCENARIO)
    project.write("scenarios/two.toml", SCENARIO)
    project.write("reports", "a file where the folder should be")
    command, pytest_run = project.jobharness("run", "scenarios"), project.pytest("--jobharness", "-x")
    assert (command.returncode, pytest_run.returncode) == (3, pytest.ExitCode.TESTS_FAILED)
    for output in (command.stderr, pytest_run.stdout):
        assert "cannot write reports to " in output
        assert "Choose another folder with --jobharness-reports (pytest) or --reports (jobharness run)." in output
        assert "Traceback" not in output
    assert command.stderr.count("cannot write reports") == 1


def test_scenario_that_does_not_exist_is_bad_usage(project):
    run = project.jobharness("run", "scenarios/nope.toml")
    assert run.returncode == 2
    assert (
        "error: scenarios/nope.toml: there is no such scenario. `jobharness scenarios` lists those in ./scenarios" in run.stderr
    )


def test_one_bad_file_keeps_the_others_from_being_started(project):
    project.write("scenarios/good.toml", SCENARIO)
    project.write("scenarios/worse.toml", "title = 3")
    run = project.jobharness("run", "scenarios/good.toml", "scenarios/worse.toml")
    assert run.returncode == 2
    assert "scenarios/worse.toml: title: must be a text, not 3" in run.stderr
    assert not (project.folder / "reports").exists()


def test_json_file_in_no_folder_is_refused_before_anything_runs(project):
    project.write("scenarios/good.toml", SCENARIO)
    run = project.jobharness("run", "scenarios", "--json", "nowhere/out.json")
    assert run.returncode == 2
    assert "--json nowhere/out.json: there is no folder nowhere" in run.stderr
    assert not (project.folder / "reports").exists()
