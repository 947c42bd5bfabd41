"""What hangs on the order of two events of different nodes that are closer than their clocks are known is unknown; the rest is decided."""

import pytest

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.backoff import Backoff
from jobharness.contracts.concurrency_limit import ConcurrencyLimit
from jobharness.contracts.contract import Word, judge
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.finding import Finding
from jobharness.contracts.lease import Lease
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.not_before import NotBefore
from jobharness.contracts.observed import Observed
from jobharness.contracts.one_run_per_tick import OneRunPerTick
from jobharness.contracts.priority import Priority
from jobharness.contracts.rate_limit import RateLimit
from jobharness.history.clocks import Node
from jobharness.history.nodes import merge
from tests.histories import history

MS = 1_000_000


def judged(contract, master="", east="", west="", *, bound_ms=10.0, vanished=()):
    """The finding for what three nodes told; the clocks of east and west are known to `bound_ms` each, or to half of it where both
    are."""
    bound = round(bound_ms * MS / 2)
    nodes = [(Node("master", vanished="master" in vanished), history(master))]
    nodes += [(Node(name, "", 0, bound, name in vanished), history(told)) for name, told in (("east", east), ("west", west))]
    (finding,) = judge(merge(nodes, {}), [contract]).findings
    assert "crashed" not in finding.sentence, finding.sentence
    return finding


def words(contract, master, east, west):
    """The verdict where the clocks are exact, known to 10 ms, and known to a microsecond."""
    return [judged(contract, master, east, west, bound_ms=bound).word.name for bound in (0, 10, 0.001)]


EXECUTION = "{0} worker-1 job.running {2} group=k\n{1} worker-1 job.finished {2}\n"


def run(begin, end, job="a"):
    return EXECUTION.format(begin, end, job)


SENT_A = "0 producer enqueue.begin a group=k\n0.001 producer enqueue.acknowledged a\n"
SENT_B = "0.1 producer enqueue.begin b group=k\n0.101 producer enqueue.acknowledged b\n"
FAILED = "0 worker-1 job.running a\n1 worker-1 job.failed a\n"
RETRIED = FAILED + "1.001 worker-1 job.retried a value=1s\n"
RANKED = """
    0 producer enqueue.priority a value=1
    0 producer enqueue.priority b value=2
    0.9 producer enqueue.acknowledged b
    {} producer enqueue.acknowledged a
"""
THREE_PAIRS = "".join(
    run(begin, end, job) for jobs, begin, end in (("cd", 0.988, 0.996), ("ef", 0.999, 1.006), ("gh", 1.01, 1.016)) for job in jobs
)
TICK = "{} scheduler schedule.tick {} value=1s text=hourly\n"

CLOSE = {
    # Two of one job, the second 2 ms after the first: overlapping, where the clocks are 2 ms apart and more.
    "lease": (Lease(), "", run(1, 1.1), run(1.102, 1.2), "HOLDS"),
    "lease, overlapping": (Lease(), "", run(1, 1.1), run(1.098, 1.2), "BROKEN"),
    # So short that no clock at the end of its bound shows what one in the middle of it does.
    "lease, short": (Lease(), "", run(1, 1.0001), run(1.002, 1.0021), "HOLDS"),
    "mutual exclusion": (ConcurrencyLimit(1, "key"), "", run(1, 1.1), run(1.102, 1.2, "b"), "HOLDS"),
    "mutual exclusion, short": (ConcurrencyLimit(1, "key"), "", run(1, 1.0001), run(1.002, 1.0021, "b"), "HOLDS"),
    "mutual exclusion, overlapping": (ConcurrencyLimit(1, "key"), "", run(1, 1.1), run(1.098, 1.2, "b"), "BROKEN"),
    # The third at once by three clocks out of many, and none in between.
    "two at once, short": (ConcurrencyLimit(2), "", THREE_PAIRS, run(1.002, 1.002, "b"), "BROKEN"),
    "rate limit": (RateLimit(1, 0.1), "", run(1, 1.01), run(1.102, 1.11, "b"), "HOLDS"),
    "rate limit, too soon": (RateLimit(1, 0.1), "", run(1, 1.01), run(1.098, 1.11, "b"), "BROKEN"),
    "not before": (NotBefore(), "0 producer enqueue.begin a\n0 producer enqueue.not_before a value=1s\n", "0.998 worker-1 job.running a", "", "BROKEN"),
    "not before, in time": (NotBefore(), "0 producer enqueue.begin a\n0 producer enqueue.not_before a value=1s\n", "1.002 worker-1 job.running a", "", "HOLDS"),
    "backoff": (Backoff(1.0), "", FAILED, "1.998 worker-1 job.running a", "BROKEN"),
    "backoff, in time": (Backoff(1.0), "", FAILED, "2.002 worker-1 job.running a", "HOLDS"),
    "deadline": (Deadline(1.0), SENT_A, "0.5 worker-1 job.running a\n1.002 worker-1 job.finished a", "", "BROKEN"),
    "deadline, in time": (Deadline(1.0), SENT_A, "0.5 worker-1 job.running a\n0.998 worker-1 job.finished a", "", "HOLDS"),
    "fifo": (FifoPerKey(), SENT_A + SENT_B, run(1, 2), run(0.998, 1.5, "b"), "BROKEN"),
    "fifo, in order": (FifoPerKey(), SENT_A + SENT_B, run(0.998, 1), run(1, 1.5, "b"), "HOLDS"),
    "priority": (Priority(), RANKED.format(0.9), run(1, 2, "b"), run(1.002, 1.5), "BROKEN"),
    "priority, in order": (Priority(), RANKED.format(0.9), run(1, 2, "b"), run(0.998, 1.5), "HOLDS"),
    # Only where the one is taken within the millisecond and a half in which the urgent one waits.
    "priority, short": (Priority(), RANKED.format(1.0015), run(1, 2, "b"), run(1.003, 1.5), "HOLDS"),
    "retry": (AtMostOnce(), "", RETRIED, "1.003 worker-1 job.running a", "HOLDS"),
    "retry, before it was asked for": (AtMostOnce(), "", RETRIED, "0.999 worker-1 job.running a", "BROKEN"),
    # Only where it begins within the millisecond before the other was asked for.
    "retry, short": (AtMostOnce(), "", "0 worker-1 job.running a\n0.0005 worker-1 job.failed a\n0.001 worker-1 job.retried a value=1s", "0.003 worker-1 job.running a\n0.0034 worker-1 job.failed a\n0.0035 worker-1 job.retried a value=1s", "HOLDS"),
    "ticks": (OneRunPerTick(), "", TICK.format(1, "a") + run(1, 1.1), TICK.format(1.502, "b") + run(1.503, 1.6, "b"), "HOLDS"),
    "ticks, too soon": (OneRunPerTick(), "", TICK.format(1, "a") + run(1, 1.1), TICK.format(1.498, "b") + run(1.503, 1.6, "b"), "BROKEN"),
}  # fmt: skip


@pytest.mark.parametrize("case", CLOSE, ids=str)
def test_order_within_the_bound_is_unknown_and_decided_where_clocks_are_better_known(case):
    contract, master, east, west, exact = CLOSE[case]
    assert words(contract, master, east, west) == [exact, "UNKNOWN", exact]


def test_reason_names_the_nodes_and_their_bounds_and_the_jobs_that_are_open():
    finding = judged(Lease(), "", run(1, 1.1), run(1.098, 1.2))
    assert finding.sentence == (
        "1 executions began while their job had a live owner, but it hangs on the order of events closer than clocks are known "
        "(east ± 5 ms, west ± 5 ms)"
    )
    assert finding.jobs == [0] and finding.counts["undecided"] == 1


def test_events_of_one_node_are_ordered_however_badly_its_clock_is_known():
    """A worker that runs one job after the other never runs two."""
    east = run(1, 1.1) + run(1.1, 1.2, "b") + run(1.2001, 1.3, "c")
    for contract in (ConcurrencyLimit(1, "key"), ConcurrencyLimit(1), Lease(), RateLimit(1, 0.1)):
        assert judged(contract, "", east, "", bound_ms=100).word is Word.HOLDS, contract.name


def test_two_nodes_that_each_run_one_at_a_time_never_run_three():
    east = "".join(run(at, at + 1, f"a{at}") for at in range(1, 9))
    west = "".join(run(at + 0.002, at + 1.002, f"b{at}") for at in range(1, 9))
    assert judged(ConcurrencyLimit(2), "", east, west).word is Word.HOLDS
    assert judged(ConcurrencyLimit(1), "", east, west).word is Word.BROKEN


def test_sure_offender_breaks_the_contract_and_the_open_one_is_told_beside_it():
    west = run(1.05, 1.2) + run(5.002, 5.1, "b")
    finding = judged(Lease(), "", run(1, 1.1) + run(5, 5.0001, "b"), west)
    assert finding.word is Word.BROKEN and len(finding.jobs) == 1 and finding.counts["undecided"] == 1
    assert "of 1 more it is unknown" in finding.sentence


def test_both_orders_open_at_once_are_unknown():
    """Both jobs went through each node in the same few milliseconds: a clock may be wrong by just what lies between them."""
    east = "1.0000 producer enqueue.begin a group=k\n1.0001 producer enqueue.acknowledged a\n1.0030 worker-1 job.running a\n"
    west = "1.0010 producer enqueue.begin b group=k\n1.0011 producer enqueue.acknowledged b\n1.0035 worker-1 job.running b\n"
    assert judged(FifoPerKey(), "", east, west, bound_ms=0).word is Word.HOLDS
    assert judged(FifoPerKey(), "", east, west).word is Word.UNKNOWN
    ranked = [told.replace("group=k", "").replace("1.0000", "1.0000").splitlines() for told in (east, west)]
    east, west = (
        "\n".join([*lines, f"1.0 producer enqueue.priority {job} value={rank}"])
        for lines, job, rank in zip(ranked, "ab", (5, 1), strict=True)
    )
    assert judged(Priority(), "", east, west, bound_ms=0).word is Word.BROKEN
    assert judged(Priority(), "", east, west).word is Word.UNKNOWN


def test_fifo_of_one_producer_and_one_worker_node_is_decided():
    east = run(1, 1.0001) + run(1.0002, 1.0003, "b")
    assert judged(FifoPerKey(), SENT_A + SENT_B, east, "").word is Word.HOLDS


# What a vanished node leaves open.

SENT = "".join(
    f"{n / 10} producer enqueue.begin {job}\n{n / 10} producer enqueue.acknowledged {job}\n" for n, job in enumerate("abc")
)


def test_jobs_that_a_vanished_worker_had_are_unknown_and_others_broken():
    east = run(1, 2, "a") + "3 worker-1 job.running b\n"
    west = "3 worker-1 job.running c"
    whole = judged(AtLeastOnce(), SENT, east, west)
    assert whole.word is Word.BROKEN and len(whole.jobs) == 2
    gone = judged(AtLeastOnce(), SENT, east, west, vanished=["east"])
    assert gone.word is Word.BROKEN and gone.counts["undecided"] == 1 and gone.jobs == [2]
    east_alone = judged(AtLeastOnce(), SENT, east, run(3, 4, "c"), vanished=["east"])
    assert east_alone.word is Word.UNKNOWN and "only east could tell, which vanished" in east_alone.sentence


def test_job_that_nobody_was_seen_to_take_may_have_been_taken_by_a_vanished_worker():
    both = run(1, 2, "a") + run(2, 3, "b")
    assert judged(AtLeastOnce(), SENT, both, "", vanished=["east"]).word is Word.UNKNOWN
    assert judged(AtLeastOnce(), SENT, both, "", vanished=["west"]).word is Word.BROKEN


def test_vanished_producer_leaves_the_jobs_of_others_decided():
    master = SENT.replace(" a\n", " x\n")
    east = "0 producer enqueue.begin a\n0 producer enqueue.acknowledged a\n"
    west = run(1, 2, "a") + run(2, 3, "b") + run(3, 4, "c") + run(4, 5, "x")
    assert judged(AtLeastOnce(), master, east, west, vanished=["east"]).word is Word.HOLDS
    lost = judged(AtLeastOnce(), master, east, west.replace("finished x", "failed x"), vanished=["east"])
    assert lost.word is Word.BROKEN


def test_job_that_nobody_enqueued_may_be_a_vanished_producers():
    east = "0 producer enqueue.begin a\n0 producer enqueue.acknowledged a\n"
    west = run(1, 2, "a") + run(2, 3, "stranger")
    assert judged(NoPhantoms(), "", east, west).word is Word.BROKEN
    assert judged(NoPhantoms(), "", east, west, vanished=["east"]).word is Word.UNKNOWN
    assert judged(NoPhantoms(), "", east, west, vanished=["west"]).word is Word.BROKEN


def test_what_was_seen_twice_stays_broken_although_a_node_vanished():
    assert judged(AtMostOnce(), "", run(1, 2), run(3, 4), vanished=["east"]).word is Word.BROKEN


def test_run_with_a_vanished_node_did_not_see_everything():
    finding = judged(Observed(), SENT + "9 producer producer.done -\n0 worker-1 worker.ready -", run(1, 2), "", vanished=["east"])
    assert finding.word is Word.UNKNOWN and finding.sentence == "node east vanished: its last events may be missing"


# What is observed from outside.


def from_outside(contract, lines):
    """The finding for a history in which nobody could see executions."""
    told = history(lines)
    unseen = {"unseen": ["job.received", "job.running", "job.settled"]}
    whole = type(told)(told.events, told.jobs, told.processes, told.texts, {**told.header, **unseen})
    (finding,) = judge(whole, [contract]).findings
    return finding


DONE_OUTSIDE = (
    SENT.replace("begin a", "begin a task=add").replace("begin b", "begin b task=add").replace("begin c", "begin c task=add")
)


def test_contract_that_needs_what_nobody_could_see_is_unknown():
    finding = from_outside(AtMostOnce(), DONE_OUTSIDE + "1 observer job.finished a")
    assert finding.word is Word.UNKNOWN
    assert finding.sentence == "nobody could see job.running: completions were observed from outside"


def test_completions_seen_from_outside_are_completions_and_so_are_deaths():
    both = "1 observer job.finished a\n1 observer job.finished b\n"
    assert from_outside(AtLeastOnce(), DONE_OUTSIDE + both + "1 observer job.dead c value=raised").word is Word.HOLDS
    lost = from_outside(AtLeastOnce(), DONE_OUTSIDE + both)
    assert lost.word is Word.BROKEN and lost.jobs == [2]
    assert from_outside(AtLeastOnce(), DONE_OUTSIDE + both + "1 observer job.dead c value=worker_lost").word is Word.BROKEN


def test_tasks_that_never_answered_are_unknown():
    silent = DONE_OUTSIDE.replace("begin c task=add", "begin c task=whisper") + "1 observer job.finished a\n"
    found = from_outside(AtLeastOnce(), silent + "1 observer job.finished b\n")
    assert found.word is Word.UNKNOWN and found.jobs == [2]
    assert from_outside(AtLeastOnce(), silent).word is Word.BROKEN


class Silent:
    """A promise that is broken by what did not happen, as an alarm that stayed silent."""

    name, promise, needs = "silent", "it rings", frozenset()

    def check(self, told):
        return Finding(self.name, Word.BROKEN, "it stayed silent", {})


def test_what_is_broken_by_nobody_in_particular_is_broken_in_one_world_and_in_several():
    (finding,) = judge(history(SENT_A), [Silent()]).findings
    assert (finding.word, finding.sentence) == (Word.BROKEN, "it stayed silent")
    assert judged(Silent(), SENT_A, run(1, 1.1), run(1.102, 1.2, "b")).word is Word.BROKEN
