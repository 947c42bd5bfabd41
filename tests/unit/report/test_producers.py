"""Several producers of one machine are shown as nodes are."""

from jobharness.report.nodes import node_rows
from tests.histories import history

STORY = """
    1.0 producer-1 producer.ready -
    1.0 producer-2 producer.ready -
    1.1 producer-1 enqueue.begin a
    1.2 producer-1 enqueue.acknowledged a
    1.3 producer-2 enqueue.begin b
    1.4 producer-1 producer.done -
"""


def test_each_producer_has_a_row_and_the_one_that_said_no_end_vanished():
    rows = [(row[0], *row[4:]) for row in node_rows(history(STORY))]
    assert rows == [("producer-1", "1", "4", "whole"), ("producer-2", "1", "2", "vanished")]


def test_one_producer_is_no_node():
    assert node_rows(history("1.0 producer producer.ready -\n 1.4 producer producer.done -")) == []
