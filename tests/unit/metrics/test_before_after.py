"""Two runs side by side, as values."""

import pytest

from jobharness.metrics.before_after import ONE_RUN, Change, Side, compare
from jobharness.metrics.differences import Difference
from jobharness.metrics.metric import Metric


def side(name, metrics=(), **variables):
    return Side(name, {metric.name: metric for metric in metrics}, variables)


def change(name, before, after, better="lower", unit="jobs"):
    return Change(Metric(name, before, unit, 10, better), Metric(name, after, unit, 10, better))


@pytest.mark.parametrize(
    ("name", "before", "after", "better", "word"),
    [
        ("jobs.lost", 5, 0, "lower", "better"),
        ("jobs.lost", 0, 5, "lower", "worse"),
        ("jobs.lost", 3, 3, "lower", "same"),
        ("jobs.completed", 5, 9, "higher", "better"),
        ("jobs.completed", 9, 5, "higher", "worse"),
        ("jobs.acknowledged", 5, 9, "neither", ""),
        ("jobs.lost", None, 9, "lower", ""),
        ("latency.p95", 0.5, 0.1, "lower", ""),
        ("throughput", 10, 90, "higher", ""),
    ],
)
def test_only_a_count_is_called_better_or_worse(name, before, after, better, word):
    assert change(name, before, after, better).word == word


@pytest.mark.parametrize(
    ("before", "after", "share"), [(2, 3, 0.5), (2, 2, 0.0), (4, 1, -0.75), (0, 3, None), (None, 3, None), (3, None, None)]
)
def test_share_is_of_the_value_before_and_none_where_there_is_none(before, after, share):
    assert change("latency.p95", before, after).share == share


def test_metrics_that_both_sides_have_are_compared_in_the_order_of_after():
    a, b, c = (Metric(name, 1.0, "s", 1) for name in ("wait.p50", "latency.p50", "drain"))
    found = compare(side("old", [a, b]), side("new", [c, b, a]))
    assert [one.name for one in found.changes] == ["latency.p50", "wait.p50"]


def test_variables_are_compared_leaf_by_leaf_with_their_dotted_names():
    before = {
        "setting": {"acks_late": False, "options": {"timeout": 5}},
        "fault": [{"kind": "kill", "times": 3}],
        "tags": ["a", "b"],
    }
    after = {"setting": {"acks_late": True, "options": {}}, "fault": [{"kind": "kill", "times": 4}], "tags": ("a", "b")}
    assert compare(side("old", **before), side("new", **after)).differences == (
        Difference("setting.acks_late", False, True),
        Difference("setting.options.timeout", 5, None),
        Difference("fault[0].times", 3, 4),
    )


def test_port_that_chance_gave_is_no_variable():
    before = side("old", setting={"broker_url": "redis://127.0.0.1:41001/0"})
    after = side("new", setting={"broker_url": "redis://127.0.0.1:52002/0"})
    assert compare(before, after).differences == ()


def test_another_host_or_database_is_a_variable():
    before = side("old", setting={"broker_url": "redis://127.0.0.1:41001/0"})
    after = side("new", setting={"broker_url": "redis://127.0.0.1:41001/1"})
    assert len(compare(before, after).differences) == 1


def test_one_variable_that_differs_needs_no_warning_but_that_of_the_single_run():
    assert compare(side("old", version="1"), side("new", version="2")).warnings == (ONE_RUN,)


def test_several_variables_that_differ_are_counted_in_a_warning():
    found = compare(side("old", version="1", pool="solo"), side("new", version="2", pool="prefork"))
    assert found.warnings == ("2 variables differ, so no single one of them can be named as the cause of a difference.", ONE_RUN)


def test_runs_in_which_nothing_differs_are_said_to_differ_by_chance():
    assert compare(side("old", version="1"), side("new", version="1")).warnings == (
        "No variable differs: what differs between the two runs is chance.",
        ONE_RUN,
    )


@pytest.mark.parametrize(
    "variables", [({"seed": 1}, {"seed": 2}), ({"workload": {"duration": 1.0}}, {"workload": {"duration": 2.0}})]
)
def test_runs_that_did_other_work_cannot_be_compared(variables):
    before, after = variables
    found = compare(side("old", **before), side("new", **after))
    assert not found.same_work
    assert found.warnings[0].startswith("The two runs did not do the same work (")


def test_same_seed_and_workload_are_the_same_work_whatever_else_differs():
    assert compare(side("old", seed=1, fault=[{"kind": "kill"}]), side("new", seed=1, fault=[])).same_work
