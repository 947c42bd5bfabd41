"""A worker that dies when it was handed the job: which of the learnt points that was."""

import pytest

from jobharness.explore.handover import handover, was_at
from jobharness.explore.points import Act, Point, points_of
from jobharness.explore.steps import IdleTalk, steps_of
from jobharness.explore.transcript import passings
from tests.histories import history

SENT = """
    0.000  producer  enqueue.begin  job
"""
ASKED = "0.001 worker-1 broker.message - attempt=1 value=9 task=BRPOP group='1 1 BRPOP *'\n"


def reply(of, job="job", at=0.1, place="1 2"):
    return f"{at:.3f} worker-1 broker.message {job} attempt=1 value=-9 task={of} group='{place} reply {of}'\n"


def held(of):
    return f"0.200 worker-1 broker.step job text=strike value=1 task={of} group='worker-1 <- reply to {of}'\n"


def point_in(text):
    """The first point of a job whose learning run was so."""
    return points_of(steps_of(passings(history(SENT + text)), IdleTalk.of((), 0.0)), False)[0]


def test_handover_is_the_first_reply_that_names_the_job_whatever_it_answers():
    point = handover()
    assert (point.kind, point.victim, point.waits) == ("after", "tree", True)
    assert point.act.match == {"reply": True, "nth": 1, "by": "worker-1", "since": 1, "command": "", "job": 1}


def test_trial_was_at_the_point_that_strikes_at_the_same_reply():
    point = point_in(ASKED + reply("BRPOP"))
    assert point.label == "reply to BRPOP"
    assert was_at(point, history(SENT + ASKED + held("BRPOP") + reply("LPOP", at=0.3)))


@pytest.mark.parametrize("said", ["", held("LPOP"), held("LPOP") + reply("BRPOP", at=0.3), reply("BRPOP")])
def test_trial_was_not_there_where_another_reply_was_held_or_none_was(said):
    assert not was_at(point_in(ASKED + reply("BRPOP")), history(SENT + ASKED + said))


def test_trial_was_at_no_point_of_another_kind():
    learned = point_in(ASKED + reply("BRPOP"))
    heard = history(SENT + ASKED + held("BRPOP"))
    assert not was_at(Point(0, "reply lost", "", learned.label, Act("lose", learned.act.match, reset=True)), heard)
