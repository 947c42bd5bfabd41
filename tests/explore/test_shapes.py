"""Crash maps of a chain, a group, a retry and a delayed job: what is lost in between is found, and what is right shows no loss."""

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


def of_kind(pair, kind):
    """The pair's app with one job of this kind of the conformance kit."""
    subject = NEWEST[pair].subject_there()
    job = subject.jobs[kind]
    return maps.scenario_of(subject, {}, {}).with_(workload__job=[{"task": job.task, "args": [1], "options": dict(job.options)}])


def test_job_that_is_retried_is_lost_until_it_is_sent_again(tmp_path):
    """Huey takes a task by removing it, and keeps one that failed in its worker's memory until it sends it again."""
    _, chart = made(of_kind("huey on redis", "retry"), tmp_path)
    assert chart.control.worst.word is Word.ONCE
    takes = [number for number, step in enumerate(chart.steps) if step.take]
    (sends,) = [number for number, step in enumerate(chart.steps) if "PUSH" in step.label]
    assert len(takes) == 2 and takes[0] < sends < takes[1]
    words = {(one.point.step, one.point.kind): one.worst.word for one in chart.tried if one.point.victim == "tree"}
    assert {words[number, "before"] for number in range(1, sends + 1) if (number, "before") in words} == {Word.LOST}
    assert words[takes[1], "after"] is Word.LOST
    assert {word for (number, _), word in words.items() if number > takes[1]} == {Word.ONCE}


def test_delayed_job_is_run_twice_where_its_worker_dies_between_sending_it_to_its_queue_and_settling(tmp_path):
    """A worker of Dramatiq keeps a delayed message in memory, sends it to its queue when its time has come, and acknowledges it."""
    _, chart = made(of_kind("dramatiq on redis", "delayed"), tmp_path)
    assert chart.control.worst.word is Word.ONCE
    # And not the worker's asking for messages, which says its own name as those do that are about the job.
    said = [step.words for step in chart.steps]
    assert [step.take for step in chart.steps] == [True, False, False, True, False]
    assert ["dramatiq enqueue" in said[1], "dramatiq ack" in said[2], "dramatiq ack" in said[4]] == [True] * 3
    words = {one.point.name: one.worst.word for one in chart.tried}
    assert words["2 after tree"] is words["3 before tree"] is Word.TWICE
    assert words["3 after tree"] is Word.ONCE
    assert Word.LOST not in chart.counts
