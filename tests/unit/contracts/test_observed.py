"""Why a run could not see, each reason by itself, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word, judge
from jobharness.contracts.observed import Observed
from jobharness.history.clocks import Node
from jobharness.history.nodes import merge
from tests.histories import history

SEEN = "1.0 worker-1 worker.ready -\n1.0 producer-1 producer.ready -\n2.0 producer-1 producer.done -\n"
LOST = "of the jobs that were not acknowledged nothing is known"


def test_a_run_that_could_see_holds():
    finding = Observed().check(history(SEEN))
    assert (finding.contract, finding.word, dict(finding.counts)) == ("observed", Word.HOLDS, {})
    assert finding.sentence == "every process recorded, the plan was sent, the queue was drained"


@pytest.mark.parametrize(
    ("lines", "failed", "reasons"),
    [
        (SEEN, ["worker-1", "worker-2/77"], ["could not record all events: worker-1 (1000), worker-2 (77)"]),
        ("1.0 worker-1 worker.ready -", [], ["the producer did not send its whole plan"]),
        ("2.0 producer-1 producer.done -", [], ["no worker ever became ready"]),
        (SEEN + "3.0 harness run.cut_short - text=interrupted", [], ["cut short: interrupted"]),
        (
            SEEN + "3.0 harness run.cut_short - text=interrupted\n4.0 harness run.cut_short - text=aborted",
            [],
            ["cut short: interrupted", "cut short: aborted"],
        ),
        (SEEN + "1.0 producer-2 producer.ready -", [], [f"producer-2 vanished before it had sent its share of the plan: {LOST}"]),
        (
            SEEN + "1.0 producer-3 producer.ready -\n1.0 producer-2 producer.ready -",
            [],
            [f"producer-2, producer-3 vanished before they had sent their shares: {LOST}"],
        ),
        ("", [], ["the producer did not send its whole plan", "no worker ever became ready"]),
    ],
)
def test_a_run_could_not_see(lines, failed, reasons):
    finding = Observed().check(history(lines, failed=failed))
    assert (finding.word, finding.sentence) == (Word.UNKNOWN, "; ".join(reasons))
    assert (finding.contract, finding.counts) == ("observed", {"reasons": len(reasons)})


def test_a_producer_that_was_followed_by_another_of_its_name_did_not_vanish():
    lines = "1.0 worker-1 worker.ready -\n1.0 producer-1/7 producer.ready -\n1.5 producer-1/8 producer.ready -\n2.0 producer-1/8 producer.done -"
    assert Observed().check(history(lines)).word is Word.HOLDS


def test_each_node_that_vanished_is_named():
    nodes = [(Node("master"), history(SEEN))] + [
        (Node(name, vanished=True), history("1.0 worker-9 worker.ready -")) for name in ("east", "west")
    ]
    (finding,) = judge(merge(nodes, {}), [Observed()]).findings
    assert finding.sentence == "; ".join(f"node {name} vanished: its last events may be missing" for name in ("east", "west"))
