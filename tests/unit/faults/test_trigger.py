"""When a fault strikes."""

from random import Random

import pytest

from jobharness.clock import NS_PER_S
from jobharness.errors import InvalidRequest
from jobharness.faults.trigger import Trigger
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.scenario.model import FaultSpec


def trigger(seed=1, **spec):
    made = Trigger(FaultSpec(kind="kill", **spec), Random(seed))
    made.start(0)
    return made


def news(at_s, kind=Kind.JOB_RUNNING, task="charge", name="worker-1"):
    return News(round(at_s * NS_PER_S), kind, b"k" * 16, 0, 1, 100, task, "", name, "worker")


def strikes_of(made, until_s, step_s=0.01):
    """The moments at which it strikes, in seconds, when nothing else happens."""
    struck = []
    for step in range(round(until_s / step_s) + 1):
        now_s = round(step * step_s, 6)
        if made.due(round(now_s * NS_PER_S))[0]:
            made.struck(round(now_s * NS_PER_S))
            struck.append(now_s)
    return struck


def test_moment_strikes_once_when_it_has_come():
    assert strikes_of(trigger(at="1s"), 3) == [1.0]


def test_moment_with_a_delay_strikes_after_it():
    assert strikes_of(trigger(at="1s", delay="500ms"), 3) == [1.5]


def test_period_strikes_as_often_as_it_may():
    assert strikes_of(trigger(every="500ms", times=3), 5) == [0.5, 1.0, 1.5]


def test_moment_then_period():
    assert strikes_of(trigger(at="1s", every="250ms", times=3), 5) == [1.0, 1.25, 1.5]


def test_rate_strikes_at_the_moments_of_its_seed():
    one, two = strikes_of(trigger(rate="10/s", times=50), 20), strikes_of(trigger(rate="10/s", times=50), 20)
    assert one == two and len(one) == 50
    assert strikes_of(trigger(seed=2, rate="10/s", times=50), 20) != one


def test_event_strikes_and_says_which_it_was():
    made = trigger(on="job.running")
    made.see([news(0.5, Kind.JOB_RECEIVED), news(1), news(2)])
    assert made.due(round(0.9 * NS_PER_S)) == (False, None)
    assert made.due(NS_PER_S) == (True, news(1))


def test_event_of_another_task_worker_or_kind_does_not_count():
    made = trigger(on="job.running", task="charge", worker="worker-2")
    made.see([news(1, task="mail", name="worker-2"), news(1), news(1, Kind.JOB_FINISHED, name="worker-2")])
    assert made.due(9 * NS_PER_S) == (False, None)
    made.see([news(2, name="worker-2")])
    assert made.due(9 * NS_PER_S)[0]


def test_nth_event_counts_from_one():
    made = trigger(on="job.running", nth=3)
    made.see([news(1), news(2)])
    assert not made.due(9 * NS_PER_S)[0]
    made.see([news(3), news(4)])
    assert made.due(9 * NS_PER_S) == (True, news(3))


def test_event_before_the_last_strike_is_old_news():
    """What a killed worker had begun must not count as the next occasion."""
    made = trigger(on="job.running", times=2)
    made.see([news(1)])
    made.struck(2 * NS_PER_S)
    made.see([news(1.5), news(2)])
    assert not made.due(9 * NS_PER_S)[0]
    made.see([news(2.001)])
    assert made.due(9 * NS_PER_S)[0]


def test_period_with_an_event_is_the_least_time_between_two_strikes():
    made = trigger(on="job.running", every="2s", times=2)
    made.see([news(1)])
    made.struck(NS_PER_S)
    made.see([news(2.9)])
    assert not made.due(9 * NS_PER_S)[0]
    made.see([news(3.1)])
    assert made.due(9 * NS_PER_S)[0]


def test_exhausted_trigger_never_strikes_again():
    made = trigger(on="job.running")
    made.see([news(1)])
    made.struck(NS_PER_S)
    assert made.exhausted
    made.see([news(2)])
    assert not made.due(9 * NS_PER_S)[0]


def test_missed_event_waits_for_the_next_one_and_is_not_counted():
    made = trigger(on="job.running")
    made.see([news(1)])
    made.missed()
    assert not made.due(9 * NS_PER_S)[0] and made.strikes == 0
    made.see([news(2)])
    assert made.due(9 * NS_PER_S) == (True, news(2))


def test_missed_moment_is_tried_again_at_once():
    made = trigger(at="1s")
    made.missed()
    assert made.due(NS_PER_S)[0]


def test_strike_of_another_fault_is_followed():
    made = trigger(after="kill#1", delay="1s")
    made.other_struck("kill#2", NS_PER_S)
    assert not made.due(9 * NS_PER_S)[0]
    made.other_struck("kill#1", 2 * NS_PER_S)
    assert not made.due(round(2.9 * NS_PER_S))[0] and made.due(3 * NS_PER_S)[0]


def test_chance_follows_its_share_of_events_the_same_for_a_seed():
    def followed(seed):
        made = trigger(seed, on="job.running", probability=0.3, times=10_000)
        seen = []
        for number in range(1, 1001):
            made.see([news(number)])
            if made.due(number * NS_PER_S)[0]:
                made.struck(number * NS_PER_S)
                seen.append(number)
        return seen

    assert followed(1) == followed(1) != followed(2)
    assert 240 < len(followed(1)) < 360


def test_chance_follows_its_share_of_periods_and_of_random_moments():
    assert strikes_of(trigger(every="1s", probability=1.0, times=10), 10) == [float(n) for n in range(1, 11)]
    some = strikes_of(trigger(every="1s", probability=0.5, times=100), 100)
    assert 30 < len(some) < 70 and all(moment == round(moment) for moment in some)
    assert 15 < len(strikes_of(trigger(rate="1/s", probability=0.3, times=100), 100)) < 50


def test_single_moment_that_chance_passes_by_never_comes():
    struck = [bool(strikes_of(trigger(seed, at="1s", probability=0.5), 3)) for seed in range(100)]
    assert 30 < sum(struck) < 70


def request(at_s, route):
    return News(round(at_s * NS_PER_S), Kind.UPSTREAM_REQUEST, b"k" * 16, 0, 0, 1, route, "", "upstream", "upstream")


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ("POST /messages", ["POST /messages"]),
        ("/messages*", ["POST /messages", "GET /messages/7"]),
        ("get /messages/*", ["GET /messages/7"]),
        ("*", ["POST /messages", "GET /messages/7", "POST /charges"]),
    ],
)
def test_request_strikes_by_method_and_path(match, fits):
    for route in ("POST /messages", "GET /messages/7", "POST /charges"):
        made = trigger(on=f"upstream.request:{match}")
        made.see([news(0.5), request(1, route)])
        assert made.due(NS_PER_S)[0] is (route in fits), route


@pytest.mark.parametrize("match", ["", "POST", "POST /a /b", "messages"])
def test_match_that_names_no_request_is_refused(match):
    with pytest.raises(InvalidRequest, match="names no requests; write a path, or a method and a path"):
        trigger(on=f"upstream.request:{match}")


def test_nothing_strikes_before_the_workload_has_begun():
    made = Trigger(FaultSpec(kind="kill", at="0s"), Random(1))
    assert not made.due(9 * NS_PER_S)[0]


def test_unknown_event_is_refused_with_the_nearest_one():
    with pytest.raises(InvalidRequest, match=r"no event 'job.runing'. Did you mean 'job.running'\? Known: "):
        trigger(on="job.runing")
