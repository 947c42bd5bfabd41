"""The page on queues: the table of each library starts its real workers, which do their jobs; the versions are those of the kit."""

import re
import tomllib
from pathlib import Path

import pytest

from jobharness.catalog import QUEUES, broker_kind
from jobharness.contracts.contract import Word
from jobharness.errors import JobharnessError
from jobharness.harness import Harness
from jobharness.scenario.load import scenario_from
from tests.support.require import missing
from tests.support.subjects import NEWEST, OLDEST

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "queues.md").read_text(encoding="utf-8")
TABLES = {
    table["adapter"]: table
    for block in re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for table in [tomllib.loads(block)["queue"]]
}
ANY_SETTING = ("celery", "django-q2")  # These take what they do not know.
# What stands for something of the reader's own, and is the app's of the kit here.
READERS_OWN = ("app", "command", "setup", "folder", "python", "methods", "ask")

pytestmark = pytest.mark.real


def case_of(adapter, cases=NEWEST):
    return next(case for case in cases.values() if case.subject.queue["adapter"] == adapter)


def scenario_of(adapter, **changes):
    """Three jobs on the workers of the page's table, with the app of the kit in the place of the reader's."""
    case = case_of(adapter)
    queue, table = dict(case.subject_there().queue), TABLES[adapter] | changes
    for key, value in table.items():
        if key not in READERS_OWN:
            queue[key] = {**queue.get(key, {}), **value} if isinstance(value, dict) else value
    queue["env"] = {"ATTEMPTS_FOLDER": "{run.folder}", **queue.get("env", {})}
    return scenario_from(
        {
            "title": adapter,
            "queue": queue,
            "broker": dict(case.subject.broker),
            "workload": {
                "arrivals": {"process": "constant", "rate": "10/s"},
                "duration": "300ms",
                "job": [{"task": case.subject.jobs["succeed"].task, "kwargs": {"number": 1}}],
            },
            "contract": {"delivery": "at-least-once", "recovery": "5s"},
        },
        "docs/queues.md",
    )


def test_page_has_a_table_for_every_queue():
    assert set(TABLES) == set(QUEUES)


@pytest.mark.parametrize("adapter", TABLES)
def test_table_of_the_page_starts_workers_that_do_their_jobs(adapter, tmp_path):
    broker = broker_kind(case_of(adapter).subject.broker["kind"])
    if not any(provider.found for provider in broker.providers()):
        missing(f"there is no {broker.kind} server here")
    result = Harness(ROOT, tmp_path).run(scenario_of(adapter))
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    assert result.metrics["jobs.completed"].value == 3


@pytest.mark.parametrize("adapter", [name for name, table in TABLES.items() if "settings" in table and name not in ANY_SETTING])
def test_setting_that_the_library_does_not_have_would_be_refused(adapter, tmp_path):
    with pytest.raises(JobharnessError, match="heartbeat_tiemout"):
        Harness(ROOT, tmp_path).check(scenario_of(adapter, settings={"heartbeat_tiemout": 1}))


@pytest.mark.parametrize("adapter", [name for name in TABLES if name != "python"])
def test_heading_names_the_oldest_and_the_newest_version_of_the_kit(adapter):
    (title, heading) = next(
        found for found in re.findall(r"^## (\S+) \((.*)\)", PAGE, re.MULTILINE) if found[0].lower() == adapter
    )
    versions = re.match(r"([\d.]+) to ([\d.]+)", heading)
    assert versions is not None, title
    for version, cases in zip(versions.groups(), (OLDEST, NEWEST), strict=True):
        wanted = case_of(adapter, cases).wanted
        if wanted is not None:
            pins = [re.search(r"==\s*([\d.]+)|>=([\d.]+)", one) for one in wanted[1] if one.lower().startswith(adapter)]
            assert any(pin and f"{pin[1] or pin[2]}.".startswith(f"{version}.") for pin in pins), (version, wanted)
