"""A worker that dies when it was handed the job: which of the learnt points that was."""

from types import SimpleNamespace

import pytest

from jobharness.explore.crash_map import Explorer
from jobharness.explore.handover import handover, was_at
from jobharness.explore.lanes import End, Try
from jobharness.explore.outcome import Outcome, Word
from jobharness.explore.points import Act, Point, points_of
from jobharness.explore.replay import Kept
from jobharness.explore.steps import IdleTalk, steps_of
from jobharness.explore.transcript import passings
from jobharness.explore.trial import Patience
from jobharness.history.log import save
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


def counted(folder, ran):
    """Whether a trial of the handover counts as the learnt point's, as its map has it; `ran`: what happened in it, None where its
    stage could not be set."""
    explorer = Explorer.__new__(Explorer)
    explorer.folder = SimpleNamespace(path=folder)
    explorer._preparation = SimpleNamespace(
        scenario=SimpleNamespace(workload=SimpleNamespace(job=[SimpleNamespace(name="charge")]))
    )
    end = End(1, handover(), Patience(10.0, 4.0, 0.0), Outcome(Word.LOST), 1.0, 2.0)
    (folder / "trials" / "1").mkdir(parents=True)
    if ran is not None:
        save(history(SENT + ASKED + ran), folder / "trials" / "1" / "history.parquet")
    explorer._keep(end, None)
    return explorer._counts(Try(point_in(ASKED + reply("BRPOP"))), end)


def test_account_of_a_trial_that_counts_names_the_point_as_it_was_learnt(tmp_path):
    assert counted(tmp_path, held("BRPOP"))
    kept = Kept.load(tmp_path / "trials" / "1.json")
    assert kept.point == point_in(ASKED + reply("BRPOP"))
    assert kept.outcome.word is Word.LOST


@pytest.mark.parametrize("ran", [held("LPOP"), None])
def test_trial_that_does_not_count_leaves_nothing(tmp_path, ran):
    assert not counted(tmp_path, ran)
    assert list((tmp_path / "trials").iterdir()) == []
