"""Crash maps of a chain and of a group: what is lost between two jobs is found, and what is right shows no loss."""

from pathlib import Path

import pytest

from docs import maps
from jobharness.explore.outcome import Word
from jobharness.explore.replay import Now
from jobharness.harness import Harness
from tests.support.require import require_binary
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


def made(scenario, reports):
    require_binary({"redis": "redis-server", "rabbitmq": "rabbitmq-server"}[scenario.broker.kind])
    harness = Harness(ROOT, reports)
    return harness, harness.crash_map(scenario)


def test_chain_whose_next_job_nobody_enqueues_is_found_and_replayed(tmp_path):
    """Huey's consumer enqueues the next job of a pipeline when the one before is done, and tells nobody of it beforehand."""
    harness, chart = made(maps.chain_of(NEWEST["huey on redis"].subject_there(), {}, {}), tmp_path)
    assert chart.control.worst.word is Word.ONCE
    assert chart.task.startswith("chain of ")
    between = [one for one in chart.tried if one.worst.where.startswith("nobody got")]
    assert between and {one.worst.word for one in between} == {Word.LOST}
    # The send of the next job never arrives, and the consumer lives.
    sends = [one for one in chart.tried if one.point.kind == "message lost" and "PUSH" in one.point.label]
    assert sends and all(one.worst.word is Word.LOST for one in sends)
    # Each job of the chain is taken once.
    assert sum(step.take for step in chart.steps) == 2
    assert chart.verdict == "broken"
    replayed = harness.replay(chart.folder / "trials" / f"{between[0].trials[0]}.json")
    assert replayed.now is Now.STILL_BROKEN


def test_group_on_a_queue_that_is_right_loses_none_of_its_jobs(tmp_path):
    scenario = maps.scenario_of(NEWEST["dramatiq on rabbitmq"].subject_there(), {}, {})
    (job,) = scenario.workload.job
    link = {"task": job.task, "args": job.args}
    _, chart = made(scenario.with_(workload__job=[{"group": [link, link]}], contract={"delivery": "at-least-once"}), tmp_path)
    assert chart.control.worst.word is Word.ONCE
    assert Word.LOST not in chart.counts and Word.STUCK not in chart.counts
    assert [step.label for step in chart.steps].count("basic.deliver") == 2
    assert Word.TWICE in chart.counts
    assert chart.verdict == "holds"
