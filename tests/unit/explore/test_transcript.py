"""Whose job each message is about, read from a history."""

from jobharness.explore.transcript import passings
from tests.histories import history

SENT = """
    0.000  worker-1  enqueue.begin  tick
    0.001  worker-1  schedule.tick  tick   text=hourly
    0.002  worker-1  enqueue.begin  child
    0.003  producer  enqueue.begin  job
"""


def said(number, *jobs):
    """One message about these jobs, as it is recorded."""
    lines = [f"1.{number} worker-1 broker.message {job} attempt=1 value=9 task=SET group='{number} 1 SET'" for job in jobs or "-"]
    return "\n".join(["", *lines])


def test_message_says_how_far_it_is_from_a_tick():
    ticks = """
        2.0 worker-1 schedule.tick a
        2.5 worker-1 job.settled   a
        4.0 worker-1 schedule.tick b
        4.0 worker-1 job.settled   b
    """
    said = [f"{moment} worker-1 broker.message - attempt=1 value=9 task=SET group='1 1 SET'" for moment in (1.5, 2.2, 3.0, 3.9)]
    assert [round(one.from_tick_s, 6) for one in passings(history(ticks + "\n".join(said)))] == [0.5, 0.0, 0.5, 0.1]


def test_message_is_about_the_job_of_the_workload_about_a_tick_alone_or_about_neither():
    told = said(1, "job") + said(2, "tick") + said(3, "job", "tick") + said(4, "tick", "job") + said(5, "child") + said(6)
    heard = passings(history(SENT + told))
    assert [one.number for one in heard if one.names_child] == [5]
    about = [(one.number, one.names_job, one.of_tick) for one in heard]
    assert about == [(1, True, False), (2, False, True), (3, True, False), (4, True, False), (5, False, False), (6, False, False)]
