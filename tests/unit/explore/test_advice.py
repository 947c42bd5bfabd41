"""What a change comes to, and how it is laid over a scenario."""

import pytest

from jobharness.catalog import QUEUES, queue_kind
from jobharness.explore.advice import Advised, advised, changed_by
from jobharness.queues.queue import Advice, Advises
from jobharness.report.crash_table import advice_report
from jobharness.report.terminal import as_text
from jobharness.scenario.model import QueueSpec, Scenario
from tests.unit.explore.test_chart import POINTS, chart, tried

LATE = Advice("late acknowledgement", "a crash then runs it twice", {"task_acks_late": True}, {"retries": 3})


def maps(tmp_path):
    before = chart(
        tmp_path, tried(POINTS[0], "lost"), tried(POINTS[1], "lost"), tried(POINTS[2], "once"), tried(POINTS[3], "stuck")
    )
    after = chart(tmp_path, tried(POINTS[0], "lost"), tried(POINTS[1], "twice"), tried(POINTS[2], "stuck"))
    return before, after


def test_points_that_turned_right_are_told_and_those_that_are_wrong_now_too(tmp_path):
    before, after = maps(tmp_path)
    found = advised(LATE, before, after, 120.0)
    assert found.turned == (POINTS[1].sentence(),)
    assert found.worse == (POINTS[2].sentence(),)
    assert found.gone == (POINTS[3].sentence(),)
    assert (found.wrong, found.duplicates) == (2, 1)


def test_report_says_what_a_change_is_for_and_what_could_not_be_tried(tmp_path):
    before, after = maps(tmp_path)
    refused = Advised(Advice("a lease", "sooner", {"lease": 3}), None, why_not="the app sets it itself")
    text = as_text(advice_report([Advised(None, before, 150.4), advised(LATE, before, after, 120.0), refused]), 140)
    assert "as it is" in text and "150" in text and "120" in text
    assert "late acknowledgement: a crash then runs it twice" in text
    assert f"turned right: {POINTS[1].sentence()}" in text and f"wrong now: {POINTS[2].sentence()}" in text
    assert "not tried: the app sets it itself" in text


def test_change_is_laid_over_settings_and_options_and_leaves_the_rest():
    scenario = Scenario.model_validate(
        {
            "title": "x",
            "queue": {"adapter": "celery", "app": "shop:app", "settings": {"transport": {"a": 1}, "other": 2}},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": [{"task": "charge", "options": {"queue": "q"}}]},
        }
    )
    found = changed_by(scenario, Advice("x", "y", {"transport": {"b": 3}}, {"retries": 3}))
    assert found.queue.settings == {"transport": {"a": 1, "b": 3}, "other": 2}
    assert found.workload.job[0].options == {"queue": "q", "retries": 3}
    assert scenario.queue.settings == {"transport": {"a": 1}, "other": 2}


def test_options_are_laid_over_each_job_of_a_chain_or_chord():
    jobs = [{"chain": [{"task": "a", "options": {"x": 1}}, {"task": "b"}]}, {"group": [{"task": "a"}], "then": {"task": "b"}}]
    scenario = Scenario.model_validate(
        {
            "title": "x",
            "queue": {"adapter": "celery", "app": "shop:app"},
            "broker": {"kind": "redis"},
            "workload": {"arrivals": {"rate": "1/s"}, "duration": "1s", "job": jobs},
        }
    )
    chain, chord = changed_by(scenario, Advice("x", "y", {}, {"retries": 3})).workload.job
    assert [link.options for link in chain.links] == [{"x": 1, "retries": 3}, {"retries": 3}]
    assert [link.options for link in chord.links] == [{"retries": 3}, {"retries": 3}]


ADVISING = [name for name in QUEUES if hasattr(queue_kind(name), "advice")]


@pytest.mark.parametrize("name", ADVISING)
def test_each_advice_changes_something_and_says_why(name):
    queue = queue_kind(name)(QueueSpec(adapter=name, app="shop:app"))
    assert isinstance(queue, Advises)
    for broker in queue.brokers:
        found = queue.advice(broker)
        assert len({one.name for one in found}) == len(found)
        assert all((one.settings or one.options) and one.why for one in found)
    assert any(queue.advice(broker) for broker in queue.brokers)
