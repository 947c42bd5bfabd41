"""Once per delivery, on histories written by hand: the whole expected finding."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.once_per_delivery import OncePerDelivery
from tests.histories import history

TWICE = """
    0.0 producer delivery.tried a text=evt_1 value=200
    0.5 producer delivery.tried b text=evt_1 value=200 group=again
    9.0 producer producer.done - value=1
"""
ENDS = """
    1.0 worker-1 job.finished a
    2.0 worker-1 job.finished b
"""
CASES = {
    "two_jobs_ended_and_no_effect_was_seen": (
        TWICE + ENDS,
        Word.BROKEN,
        "1 of 1 deliveries took effect by several jobs",
        {"deliveries": 1, "repeated": 1, "idle": 0, "given_up": 0},
        [(1, "its delivery took effect again, by 2 jobs now")],
    ),
    "two_jobs_took_the_same_effect": (
        TWICE + ENDS + "0.9 upstream effect.applied a task=cards\n1.9 upstream effect.applied b task=cards",
        Word.BROKEN,
        "1 of 1 deliveries took effect by several jobs",
        {"deliveries": 1, "repeated": 1, "idle": 0, "given_up": 0},
        [(1, "its delivery took effect again, by 2 jobs now")],
    ),
    "the_second_job_saw_that_it_was_done": (
        TWICE + ENDS + "0.9 upstream effect.applied a task=cards",
        Word.HOLDS,
        "each of 1 deliveries took effect by one job",
        {"deliveries": 1, "repeated": 0, "idle": 0, "given_up": 0},
        [],
    ),
    "two_jobs_took_effects_of_their_own": (
        TWICE + ENDS + "0.9 upstream effect.applied a task=cards text=1\n1.9 upstream effect.applied b task=cards text=2",
        Word.HOLDS,
        "each of 1 deliveries took effect by one job",
        {"deliveries": 1, "repeated": 0, "idle": 0, "given_up": 0},
        [],
    ),
    "the_job_that_was_sent_first_took_effect_last_and_then_a_third": (
        TWICE
        + ENDS
        + """
        0.6 producer delivery.tried c text=evt_1 value=200
        1.8 upstream effect.applied b task=cards
        1.9 upstream effect.applied a task=cards
        2.5 upstream effect.applied c task=cards
        2.6 upstream effect.applied c task=cards
        """,
        Word.BROKEN,
        "1 of 1 deliveries took effect by several jobs",
        {"deliveries": 1, "repeated": 1, "idle": 0, "given_up": 0},
        [(2, "its delivery took effect again, by 3 jobs now"), (0, "its delivery took effect again, by 2 jobs now")],
    ),
    "nothing_came_of_two_jobs_of_one_and_another_did": (
        TWICE + "0.6 producer delivery.tried c text=evt_2 value=200\n1.0 worker-1 job.finished c",
        Word.BROKEN,
        "1 were taken, and nothing came of them",
        {"deliveries": 2, "repeated": 0, "idle": 1, "given_up": 0},
        [(0, "it was taken, and nothing came of it")],
    ),
    "an_entry_that_tells_deliveries_apart_names_the_first_job": (
        """
        0.0 producer delivery.tried a text=evt_1 value=200
        0.5 producer delivery.tried a text=evt_1 value=200 group=again
        1.0 worker-1 job.finished a
        9.0 producer producer.done - value=1
        """,
        Word.HOLDS,
        "each of 1 deliveries took effect by one job",
        {"deliveries": 1, "repeated": 0, "idle": 0, "given_up": 0},
        [],
    ),
    "two_deliveries_are_two": (
        "0.0 producer delivery.tried a text=evt_1 value=200\n0.5 producer delivery.tried b text=evt_2 value=200\n" + ENDS,
        Word.HOLDS,
        "each of 2 deliveries took effect by one job",
        {"deliveries": 2, "repeated": 0, "idle": 0, "given_up": 0},
        [],
    ),
    "one_was_taken_and_died": (
        """
        0.0 producer delivery.tried a text=evt_1 value=200
        1.0 worker-1 job.failed a
        1.0 worker-1 job.dead a value=raised
        9.0 producer producer.done - value=1
        """,
        Word.BROKEN,
        "1 were taken, and nothing came of them",
        {"deliveries": 1, "repeated": 0, "idle": 1, "given_up": 0},
        [(0, "it was taken, and nothing came of it")],
    ),
    "one_was_never_taken": (
        "0.0 producer delivery.tried - text=evt_1 value=503\n1.0 producer delivery.given_up - text=evt_1 value=5",
        Word.BROKEN,
        "1 deliveries were never taken",
        {"deliveries": 0, "repeated": 0, "idle": 0, "given_up": 1},
        [(None, "never taken: given up after 5 tries")],
    ),
    "nothing_was_done": ("9.0 producer producer.done - value=0", Word.UNKNOWN, OncePerDelivery.nothing, None, []),
}


@pytest.mark.parametrize("name", CASES)
def test_finding(name):
    lines, word, sentence, counts, offenders = CASES[name]
    finding = OncePerDelivery().check(history(lines))
    assert (finding.word, finding.sentence) == (word, sentence)
    assert counts is None or dict(finding.counts) == counts
    assert [(job, why) for job, _, why in finding.offenders.iter_rows()] == offenders
