"""Whatever the clocks truly were, within their bounds: what truly holds is never called broken, and what is truly broken never held."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.backoff import Backoff
from jobharness.contracts.concurrency_limit import ConcurrencyLimit
from jobharness.contracts.contract import Word, judge
from jobharness.contracts.deadline import Deadline
from jobharness.contracts.fifo_per_key import FifoPerKey
from jobharness.contracts.lease import Lease
from jobharness.contracts.not_before import NotBefore
from jobharness.contracts.priority import Priority
from jobharness.contracts.rate_limit import RateLimit
from jobharness.history.clocks import Node
from jobharness.history.event import Kind
from jobharness.history.nodes import merge
from tests.histories import Line, history_of
from tests.support.examples import examples

MS = 1_000_000
BOUND = 3 * MS
NODES = ("master", "east", "west")

CONTRACTS = {
    "lease": Lease(),
    "mutual exclusion": ConcurrencyLimit(1, "key"),
    "at most two": ConcurrencyLimit(2),
    "rate limit": RateLimit(2, 0.01),
    "fifo": FifoPerKey(),
    "priority": Priority(),
    "backoff": Backoff(0.01),
    "not before": NotBefore(),
    "deadline": Deadline(0.01),
    "at most once": AtMostOnce(),
}

moments = st.integers(0, 80).map(lambda quarter: quarter * MS // 4)
spans = st.integers(0, 24).map(lambda quarter: quarter * MS // 4)


@st.composite
def jobs(draw):
    """The lines of each node: a few jobs, sent by some node and run once or twice by others, at moments close to each other."""
    told = {node: [] for node in NODES}
    for job in "abcd"[: draw(st.integers(1, 4))]:
        sent, at = told[draw(st.sampled_from(NODES))], draw(moments)
        sent.append(Line(at, "producer", Kind.ENQUEUE_BEGIN, job, value=at or 1, group="k"))
        if draw(st.booleans()):
            sent.append(Line(at, "producer", Kind.ENQUEUE_NOT_BEFORE, job, value=at + draw(spans) + 1))
        if draw(st.booleans()):
            sent.append(Line(at, "producer", Kind.ENQUEUE_PRIORITY, job, value=draw(st.integers(1, 2))))
        sent.append(Line(at + draw(spans), "producer", Kind.ENQUEUE_ACKNOWLEDGED, job))
        for _ in range(draw(st.integers(1, 2))):
            # Each execution in a process of its own: what one process does at one moment is not the question here.
            worker = f"worker-{job}{len(told['master'])}{len(told['east'])}{len(told['west'])}"
            ran, begin = told[draw(st.sampled_from(NODES))], draw(moments)
            end = begin + draw(spans)
            ran.append(Line(begin, worker, Kind.JOB_RUNNING, job, group="k"))
            if draw(st.booleans()):
                ran.append(Line(end, worker, Kind.JOB_FINISHED, job))
            else:
                ran.append(Line(end, worker, Kind.JOB_FAILED, job))
                ran.append(Line(end, worker, Kind.JOB_RETRIED, job))
    return told


def judged(contract, told, offsets, bound):
    nodes = [
        (Node(name, "", offset, bound if number else 0), history_of(told[name]))
        for number, (name, offset) in enumerate(offsets.items())
    ]
    (finding,) = judge(merge(nodes, {}), [contract]).findings
    return finding


@pytest.mark.parametrize("name", CONTRACTS)
@settings(deadline=None, max_examples=examples(40))
@given(jobs(), *[st.integers(-BOUND + 1, BOUND - 1)] * 2)
def test_verdict_is_that_of_the_true_clocks_or_unknown(name, told, east, west):
    contract = CONTRACTS[name]
    truth = judged(contract, told, {"master": 0, "east": east, "west": west}, 0)
    found = judged(contract, told, dict.fromkeys(NODES, 0), BOUND)
    assert "crashed" not in found.sentence, found.sentence
    if truth.word is Word.BROKEN:
        assert found.word is not Word.HOLDS, (truth.sentence, found.sentence)
    else:
        assert found.word is not Word.BROKEN, (truth.sentence, found.sentence)
