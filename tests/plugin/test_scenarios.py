"""`pytest --jobharness`: scenarios as tests, judged by what a user's own pytest says of them."""

import re
from xml.etree import ElementTree

import pytest

from tests.support.project import KILL, LOSING, SCENARIO, Project, with_top

NEVER = KILL.replace('on = "job.running"', 'at = "9s"')
# Its jobs are sent at once: none has a moment that a slow machine could miss, which would leave the gate undecided.
AT_ONCE = SCENARIO.replace('{ process = "constant", rate = "10/s" }\nduration = "1s"', '{ process = "backlog", jobs = 10 }')

SCENARIOS = {
    "closed": with_top(SCENARIO, 'known_gap = "it was broken once"'),
    "crossed": AT_ONCE + '[gate]\n"latency.p95" = { max = "1us" }\n',
    "gap": with_top(LOSING + KILL, 'known_gap = "jobs are acknowledged before they run"'),
    "hardened": with_top(LOSING + KILL, 'before = "gap.toml"').replace("[broker]", "[queue.settings]\ntask_acks_late = true\n\n[broker]"),
    "holds": with_top(SCENARIO, 'tags = ["smoke"]'),
    "vacuous": with_top(SCENARIO + NEVER, 'known_gap = "it was broken once"'),
}  # fmt: skip


def fill(project, names):
    for name in names:
        project.write(f"scenarios/{name}.toml", SCENARIOS[name])


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory):
    """Every scenario in one run of pytest on two workers of xdist, and the JUnit XML of it."""
    project = Project(tmp_path_factory.mktemp("all"))
    fill(project, SCENARIOS)
    run = project.pytest("--jobharness", "-n", "2", "-rA", "--junitxml=junit.xml")
    return project, run, ElementTree.parse(project.folder / "junit.xml").getroot()


def outcome(run, name):
    """The word that pytest's short summary has for a scenario."""
    found = re.search(rf"^(\w+) scenarios/{name}\.toml::{name}\[celery-redis\]", run.stdout, re.MULTILINE)
    return found and found.group(1)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "word"),
    [("holds", "PASSED"), ("gap", "XFAIL"), ("closed", "FAILED"), ("vacuous", "FAILED"), ("crossed", "FAILED")],
)
def test_verdict_is_the_outcome_and_a_known_gap_a_strict_expected_failure(all_of_them, name, word):
    _, run, _ = all_of_them
    assert outcome(run, name) == word, run.stdout


@pytest.mark.real
def test_failure_says_why_in_its_first_line_and_how_to_repeat_it(all_of_them):
    _, run, _ = all_of_them
    assert "VACUOUS: kill#1 never fired." in run.stdout
    assert "A fault that hit nothing proves nothing, so this is not a pass." in run.stdout
    assert re.search(r"GATE CROSSED: latency\.p95 is [0-9.]+ m?s, more than 1 us\.", run.stdout)
    assert "Take `known_gap` out of scenarios/closed.toml" in run.stdout
    assert "Repeat  pytest --jobharness scenarios/vacuous.toml --jobharness-seed 5" in run.stdout
    assert "Traceback" not in run.stdout
    assert "jobharness/runner" not in run.stdout


@pytest.mark.real
def test_summary_has_a_row_for_each_run_of_every_worker(all_of_them):
    _, run, _ = all_of_them
    table = run.stdout[run.stdout.rindex("slowest recovery") :].split("\n\n")[0]
    assert sorted(line.split()[0] for line in table.splitlines()[1:]) == sorted(SCENARIOS)
    assert re.search(r"^gap +broken \(known gap\) +3 ", table, re.MULTILINE)


@pytest.mark.real
def test_known_gap_shows_what_it_costs_though_it_is_expected(all_of_them):
    _, run, _ = all_of_them
    shown = run.stdout[run.stdout.index("Known gap in gap: ") :]
    assert re.match(r"Known gap in gap: [123] of 3 acknowledged jobs", shown)
    for event in ("enqueue.begin", "enqueue.acknowledged", "job.running", "fault.hit"):
        assert event in shown.split("\n\n")[0]


@pytest.mark.real
def test_before_and_after_are_laid_side_by_side_across_workers(all_of_them):
    _, run, _ = all_of_them
    table = run.stdout[run.stdout.index("Before and after: gap -> hardened") :]
    assert re.search(r"^jobs\.lost +\d +\d +(better|same|worse)", table, re.MULTILINE)
    assert re.search(r"^setting\.task_acks_late +false +true", table, re.MULTILINE)
    assert "One run a side is no evidence of a difference in speed" in table


@pytest.mark.real
def test_junit_xml_has_verdict_seed_metrics_and_report_path(all_of_them):
    project, _, junit = all_of_them
    case = next(case for case in junit.iter("testcase") if case.get("name") == "vacuous[celery-redis]")
    values = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert values["jobharness.verdict"] == "vacuous"
    assert values["jobharness.seed"] == "5"
    assert values["jobharness.metric.jobs.acknowledged"] == "10"
    assert (project.folder / "reports" / values["jobharness.report"] / "verdict.json").exists()
    assert case.find("failure").get("message") == "VACUOUS: kill#1 never fired."


@pytest.mark.real
def test_seed_and_reports_are_taken_from_the_options(project):
    fill(project, ["holds"])
    run = project.pytest("--jobharness", "--jobharness-seed", "41", "--jobharness-reports", "elsewhere", "-q")
    assert run.returncode == 0, run.stdout
    (folder,) = (path for path in (project.folder / "elsewhere").iterdir() if path.is_dir())
    assert '"seed": 41' in (folder / "run.json").read_text()
    assert not (project.folder / "reports").exists()


@pytest.mark.real
def test_first_failure_stops_the_run_with_x(project):
    fill(project, ["vacuous"])
    project.write("scenarios/zeta.toml", SCENARIO)
    run = project.pytest("--jobharness", "-x")
    assert "1 failed" in run.stdout
    assert outcome(run, "zeta") is None
    assert len([path for path in (project.folder / "reports").iterdir() if path.is_dir()]) == 1


def test_collect_only_names_every_scenario_and_starts_nothing(project):
    fill(project, SCENARIOS)
    run = project.pytest("--jobharness", "--collect-only", "-q")
    listed = [line for line in run.stdout.splitlines() if "::" in line]
    assert listed == [f"scenarios/{name}.toml::{name}[celery-redis]" for name in sorted(SCENARIOS)]
    assert not (project.folder / "reports").exists()


def collected(run):
    return sorted(re.findall(r"^(\S+\.(?:toml|py))::", run.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (["-k", "hardened"], ["hardened"]),
        (["-k", "smoke"], ["holds"]),
        (["-k", "not celery"], []),
        (["-m", "jobharness"], sorted(SCENARIOS)),
        (["-m", "not jobharness"], []),
    ],
)
def test_scenarios_are_selected_by_keyword_tag_and_marker(project, selection, names):
    fill(project, SCENARIOS)
    run = project.pytest("--jobharness", "--collect-only", "-q", "--strict-markers", *selection)
    assert collected(run) == [f"scenarios/{name}.toml" for name in names]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--jobharness"], ["scenarios/holds.toml", "tests/test_plain.py"]),
        (["--jobharness", "tests"], ["tests/test_plain.py"]),
        (["--jobharness", "scenarios"], ["scenarios/holds.toml"]),
        (["--jobharness", "scenarios/holds.toml"], ["scenarios/holds.toml"]),
        (["--jobharness", "."], ["scenarios/holds.toml", "tests/test_plain.py"]),
        (["--jobharness", "other"], []),
        ([], ["tests/test_plain.py"]),
        (["."], ["tests/test_plain.py"]),
    ],
)
def test_scenarios_are_found_under_their_folders_and_nowhere_else(project, arguments, expected):
    fill(project, ["holds"])
    project.write("other/stray.toml", SCENARIO)
    project.write("scenarios/apps/pyproject.toml", "[project]\n")
    project.write("tests/test_plain.py", "def test_plain():\n    pass\n")
    project.write("pytest.ini", "[pytest]\ntestpaths = tests\n")
    assert collected(project.pytest("--collect-only", "-q", *arguments)) == expected


def test_folders_of_scenarios_come_from_the_ini_file(project):
    project.write("drills/one.toml", SCENARIO)
    project.write("more drills/two.toml", SCENARIO)
    project.write("scenarios/three.toml", SCENARIO)
    project.write("pytest.ini", '[pytest]\njobharness_scenarios = drills "more drills"\n')
    run = project.pytest("--jobharness", "--collect-only", "-q")
    assert [line.split("::")[0] for line in run.stdout.splitlines() if "::" in line] == [
        "drills/one.toml",
        "more drills/two.toml",
    ]


def test_folder_that_is_missing_is_said_in_the_header(project):
    run = project.pytest("--jobharness")
    assert "jobharness: scenarios in scenarios (there is no " in run.stdout
    assert run.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_marker_is_registered_without_the_flag(project):
    project.write("test_marked.py", "import pytest\n\n\n@pytest.mark.jobharness\ndef test_marked():\n    pass\n")
    run = project.pytest("--strict-markers", "-m", "jobharness", "-W", "error")
    assert run.returncode == 0, run.stdout


def test_without_the_flag_nothing_of_the_tool_is_imported(project):
    fill(project, ["holds"])
    project.write(
        "test_imports.py",
        "import sys\n\n\ndef test_imports():\n"
        "    ours = [name for name in sys.modules if name.startswith('jobharness.')]\n"
        "    assert ours == ['jobharness.pytest_plugin']\n"
        "    assert not {'polars', 'pydantic', 'rich', 'numpy', 'jinja2', 'psutil'} & set(sys.modules)\n",
    )
    run = project.pytest()
    assert run.returncode == 0, run.stdout
    assert "jobharness:" not in run.stdout.split("\nplugins:")[0]


@pytest.mark.real
def test_a_page_of_ci_gets_the_table_and_github_a_mark_in_the_file_that_is_red(project, monkeypatch):
    fill(project, ("vacuous",))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    (project.folder / "summary.md").write_text("before\n")
    run = project.pytest("--jobharness", "--jobharness-markdown", "summary.md")
    written = (project.folder / "summary.md").read_text()
    assert written.startswith("before\n### jobharness\n")
    assert "| vacuous | ○ vacuous" in written
    assert re.search(
        r"^::error file=scenarios/vacuous\.toml,line=1,title=.*vacuous::kill#1 never fired", run.stdout, re.MULTILINE
    )
