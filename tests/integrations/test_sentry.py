"""Real workers with the real sentry-sdk: which deaths are reported, which retries are taken for deaths, library by library."""

import importlib
from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.scenario.load import scenario_from
from tests.support.environments import environment

ROOT = Path(__file__).parents[2]
SDK = "sentry-sdk==2.75.0"
ENVIRONMENTS = {
    "celery": ("celery[redis]==5.7.0", "sqlalchemy"),
    "rq": ("rq==3.0.0",),
    "huey": ("huey==3.5.4", "redis"),
    "dramatiq": ("dramatiq[redis,rabbitmq]==2.2.1",),
    "arq": ("arq==0.28.0",),
}
KINDS = ("succeed", "fail", "retry", "give_up")


def scenario(library):
    """Jobs that succeed, die at once, are retried and succeed, are retried and die: five of each, one second of them."""
    module = importlib.import_module(f"tests.conformance.subjects.{library}")
    queue = module.SUBJECTS[0].queue
    app = queue["app"]
    arguments = ["-c", "tests.integrations.apps.rq"] if library == "rq" else []
    if library != "rq":
        app = app.replace("scenarios.apps.conformance", "tests.integrations.apps")
    python = environment(*ENVIRONMENTS[library], SDK)
    env = {**queue["env"], "SENTRY_DSN": "{sentry.dsn}", "ATTEMPTS_FOLDER": "{run.folder}"}
    jobs = [
        {"task": module.JOBS[kind].task, "args": ["{faker.random_number:digits=9}"], "options": module.JOBS[kind].options}
        for kind in KINDS
    ]
    plain = {
        "title": f"deaths on {library}",
        "queue": {**queue, "app": app, "python": str(python), "env": env, "arguments": arguments},
        "broker": {"kind": "redis"},
        "workload": {"arrivals": {"process": "constant", "rate": "20/s"}, "duration": "1s", "job": jobs},
        "contract": {"reported": {"sentry": "once"}},
        "drain": {"quiet": "20s"},
    }
    return scenario_from(plain, "a test")


DEATHS, RETRIED = 10, 8
"""How many of the twenty jobs die; how many of them and of the others are retried first, by the seed: 5 live on, 3 die."""


@pytest.mark.real
@pytest.mark.parametrize("library", ["celery", "rq", "arq"])
def test_each_death_is_reported_once_and_no_retry(library, tmp_path):
    finding = Harness(ROOT, tmp_path).run(scenario(library)).verdict["reported"]
    assert (finding.word, finding.counts["dead"], finding.counts["reports"]) == (Word.HOLDS, DEATHS, DEATHS), finding.sentence


@pytest.mark.real
@pytest.mark.parametrize("library", ["huey", "dramatiq"])
def test_an_integration_that_reports_retries_as_deaths_is_found_out(library, tmp_path):
    """The integrations of sentry-sdk 2.75 for Huey and Dramatiq report every attempt that raises."""
    finding = Harness(ROOT, tmp_path).run(scenario(library)).verdict["reported"]
    assert finding.word is Word.BROKEN
    counts = finding.counts
    assert (counts["dead"], counts["silent"], counts["mistaken"]) == (DEATHS, 0, 0)
    assert counts["alive"] + counts["repeated"] == RETRIED == counts["reports"] - DEATHS


@pytest.mark.real
def test_an_app_that_reports_nothing_is_found_out(tmp_path):
    changed = scenario("celery")
    finding = Harness(ROOT, tmp_path).run(changed, queue__env={**changed.queue.env, "SENTRY_DSN": ""}).verdict["reported"]
    assert (finding.word, finding.sentence) == (Word.BROKEN, "of 10 dead jobs 10 were not reported")
