"""Chains, groups and chords by each library's own means, and a link that is lost between two jobs."""

import importlib.util
import json
from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.errors import InvalidRequest
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.processes.ports import free_port
from jobharness.scenario.load import scenario_from
from tests.support.environments import environment, wanted
from tests.support.redis_server import redis_server

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
CASES = {
    # Library: version, the app's name, its variable, what keeps a result from the next job, the shapes.
    "celery": ("NEWEST", ":app", "BROKER_URL", {"immutable": True}, "chain group chord"),
    "rq": ("NEWEST", ":queue", "RQ_REDIS_URL", {}, "chain group chord"),
    "rq oldest": ("OLDEST", ":queue", "RQ_REDIS_URL", {}, "chain group chord"),
    "dramatiq": ("NEWEST", ":broker", "BROKER_URL", {"pipe_ignore": True}, "chain group chord"),
    "dramatiq on rabbitmq": ("NEWEST", ":broker", "BROKER_URL", {"pipe_ignore": True}, "chain group chord"),
    "dramatiq oldest": ("OLDEST", ":broker", "BROKER_URL", {"pipe_ignore": True}, "chain group chord"),
    "huey": ("NEWEST", ".huey", "BROKER_URL", {}, "chain group chord"),
    "huey oldest": ("OLDEST", ".huey", "BROKER_URL", {}, "chain"),
}


def _subject(library):
    path = ROOT / "tests" / "conformance" / "subjects" / f"{library}.py"
    spec = importlib.util.spec_from_file_location(f"subject_{library}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _scenario(case, jobs, env, **parts):
    version, app, variable, _, _ = CASES[case]
    library, broker = case.split()[0], "rabbitmq" if case.endswith("rabbitmq") else "redis"
    found = wanted(_subject(library), version, broker)
    env = {variable: "{broker.url}", "dramatiq_prom_host": "127.0.0.1", **env}
    plain = {
        "title": f"shapes on {case}",
        "queue": {
            "adapter": library,
            "app": f"scenarios.apps.conformance.{library}{app}",
            "env": env,
            **({"python": str(environment(*found[1], python=found[0]))} if found else {}),
        },
        "broker": {"kind": broker},
        "workload": {"arrivals": {"process": "constant", "rate": "8/s"}, "duration": "1s", "job": jobs},
        "contract": {"delivery": "at-least-once", "recovery": "5s"},
        "drain": {"quiet": "5s"},
    }
    for name, changes in parts.items():
        plain[name] = {**plain[name], **changes} if isinstance(changes, dict) else changes
    return scenario_from(plain, case)


@pytest.fixture
def env(request, tmp_path):
    """Where Celery and Dramatiq count what is left of a chord: in the run's Redis, or in one beside it."""
    if not request.node.callspec.params["case"].endswith("rabbitmq"):
        yield {"CELERY_RESULT_BACKEND": "{broker.url}", "GROUPS_URL": "{broker.url}"}
        return
    with redis_server(tmp_path, free_port()) as url:
        yield {"GROUPS_URL": url}


@pytest.mark.parametrize("case", CASES)
def test_every_job_of_a_shape_is_seen_and_runs_when_it_is_due(case, env, tmp_path):
    task = "succeed" if case.startswith("dramatiq") else f"scenarios.apps.conformance.{case.split()[0]}.succeed"
    links = [{"task": task, "args": [number], "options": CASES[case][3]} for number in range(3)]
    # Huey gives the last job of a chord what the others returned, whether it wants it or not.
    then = {"task": task, "args": [] if case == "huey" else [0], "options": CASES[case][3]}
    jobs = {"chain": {"chain": links}, "group": {"group": links}, "chord": {"group": links, "then": then, "weight": 2}}
    result = Harness(ROOT, reports=tmp_path).run(_scenario(case, [jobs[shape] for shape in CASES[case][4].split()], env))
    result.expect.verdict("holds")
    history, tally = result.history, result.history.tally
    plan = [json.loads(line) for line in (result.folder / "plan.jsonl").read_text().splitlines()[1:]]
    assert {job["shape"] for job in plan} == set(CASES[case][4].split())
    assert history.jobs.height == sum(len(job["links"]) for job in plan)
    assert (tally.count(Kind.ENQUEUE_LINKED) == 1).all()
    assert (tally.count(Kind.JOB_FINISHED) == 1).all()
    due = {"chain": 2, "group": 0, "chord": 1}
    assert result.verdict["no_link_lost"].counts["due"] == sum(due[job["shape"]] for job in plan)
    _assert_in_order(history)


def _assert_in_order(history):
    """No job begins before those that it waits for. (That one of them has finished, Celery says only after it sent the next.)"""
    rows = history.columns.rows(Kind.ENQUEUE_LINKED)
    chains, jobs = history.columns["text"][rows], history.columns["job"][rows]
    steps, running_ns = history.tally.first_value(Kind.ENQUEUE_LINKED), history.tally.first_ns(Kind.JOB_RUNNING)
    for chain in set(chains.tolist()):
        members = jobs[chains == chain]
        for member in members[steps[members] > 0]:
            assert running_ns[member] > running_ns[members[steps[members] == steps[member] - 1]].max()


def test_a_chord_is_refused_where_the_apps_broker_cannot_tell_when_a_group_is_done(tmp_path):
    chord = {"group": [{"task": "succeed", "args": [0]}], "then": {"task": "succeed", "args": [1]}}
    with pytest.raises(InvalidRequest, match="its broker has no middleware GroupCallbacks") as refused:
        Harness(ROOT, reports=tmp_path).run(_scenario("dramatiq", [chord], {}))
    assert len(str(refused.value).splitlines()) == 1


def test_a_link_that_dies_between_two_jobs_is_lost_and_seen(tmp_path):
    """A worker of Huey that is killed when it is about to enqueue the next job: the one before is done, nobody repeats it."""
    task = "scenarios.apps.conformance.huey.succeed"
    faults = [{"kind": "kill", "on": "broker.step:before LPUSH by=workers nth=2"}]
    job = {"chain": [{"task": task, "args": [number]} for number in range(2)]}
    result = Harness(ROOT, reports=tmp_path).run(_scenario("huey", [job], {}, fault=faults))
    finding = result.verdict["no_link_lost"]
    assert finding.word is Word.BROKEN, finding.sentence
    assert finding.counts["never_enqueued"] >= 1
    assert "lost: all before it had finished, and nobody got it enqueued" in finding.offenders["why"].to_list()
