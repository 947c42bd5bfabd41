"""Chains, groups, chords and schedules of a scenario: refused in one line, or planned."""

from pathlib import Path

import pytest

from jobharness.catalog import assemble
from jobharness.errors import ScenarioInvalid
from jobharness.scenario.load import scenario_from
from jobharness.scenario.workload import WorkloadSpec
from jobharness.workload.plan import planned_jobs

LINKS = [{"task": "charge", "args": ["{faker.uuid4}"]}, {"task": "mail", "options": {"immutable": True}}]
ARRIVALS = {"process": "constant", "rate": "2/s"}


def _scenario(adapter, contract=None, broker="redis", **workload):
    return {
        "title": "t",
        "queue": {"adapter": adapter, "app": "a:app"},
        "broker": {"kind": broker},
        "workload": {"arrivals": ARRIVALS, "duration": "1s", **workload},
        "contract": contract or {},
    }


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"chain": LINKS, "task": "t"}, "a job has one of `task`, `post`, `chain` and `group`, not task and chain"),
        ({"chain": LINKS, "kwargs": {"a": 1}}, "the arguments of a chain or group stand with each of its jobs"),
        ({"chain": LINKS[:1]}, "a chain has at least two jobs"),
        ({"chain": LINKS, "then": LINKS[0]}, "`then` goes with `group`"),
        ({"chain": [{"tsk": "t"}, LINKS[0]]}, "unknown key; did you mean 'task'?"),
    ],
)
def test_a_wrong_shape_is_refused_in_one_line(job, words):
    with pytest.raises(ScenarioInvalid) as refused:
        scenario_from(_scenario("celery", job=[job]), "scenario.toml")
    assert words in str(refused.value)


def test_a_library_without_chains_is_refused_and_those_that_have_them_are_named():
    with pytest.raises(ScenarioInvalid) as refused:
        assemble(scenario_from(_scenario("arq", job=[{"chain": LINKS}]), "scenario.toml"), Path(), Path("scenario.toml"))
    said = "workload.job[0]: arq has no chain that the agent could send; these have one: celery, dramatiq, huey, rq"
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("job", "contract", "asked"),
    [
        ({"chain": LINKS}, {"delivery": "at-least-once"}, True),
        ({"group": LINKS, "then": LINKS[0]}, {"delivery": "exactly-once"}, True),
        ({"group": LINKS}, {"delivery": "at-least-once"}, False),
        ({"chain": LINKS}, {"delivery": "at-most-once"}, False),
        ({"chain": LINKS}, {"links": True}, True),
    ],
)
def test_lost_links_are_looked_for_where_delivery_is_at_least_once(job, contract, asked):
    parts = assemble(scenario_from(_scenario("celery", contract, job=[job]), "a test"), Path())
    assert [one.name for one in parts.contracts].count("no_link_lost") == asked


def test_the_jobs_of_a_shape_are_planned_with_their_own_arguments():
    workload = WorkloadSpec(arrivals=ARRIVALS, duration="1s", job=[{"group": LINKS, "then": {"task": "report"}, "key": "k"}])
    first, second = planned_jobs(workload, 1)
    assert (first["shape"], first["group"], [link["task"] for link in first["links"]]) == (
        "chord",
        "k",
        ["charge", "mail", "report"],
    )
    assert first["links"][1] == {"task": "mail", "args": [], "kwargs": {}, "options": {"immutable": True}}
    assert first["links"][0]["args"] != second["links"][0]["args"]


def test_a_schedule_alone_is_a_workload_and_its_ticks_are_expected():
    plain = _scenario("celery", cron=[{"entry": "nightly", "every": "1s"}])
    del plain["workload"]["arrivals"]
    scenario = scenario_from(plain, "a test")
    assert list(planned_jobs(scenario.workload, 1)) == []
    (ticks,) = [one for one in assemble(scenario, Path()).contracts if one.name == "one_run_per_tick"]
    assert ticks.expected == (("nightly", 1.0),)


def test_a_library_that_reports_no_ticks_is_refused_a_schedule():
    with pytest.raises(ScenarioInvalid, match=r"dramatiq does not report schedule\.tick"):
        assemble(
            scenario_from(_scenario("dramatiq", job=[{"task": "t"}], cron=[{"entry": "n", "every": "1s"}]), "a test"), Path()
        )
