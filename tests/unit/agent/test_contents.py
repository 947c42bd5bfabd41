"""A message of taskiq is read once, though both the agent and the receiver want its content."""

import json
from types import SimpleNamespace

from jobharness.agent.libraries.taskiq import KEPT, _Contents


def counting_formatter():
    """A formatter that counts how often it reads."""
    formatter = SimpleNamespace(read=0)

    def loads(message):
        formatter.read += 1
        return json.loads(message)

    formatter.loads = loads
    return formatter


def test_receiver_gets_what_was_read_already():
    formatter = counting_formatter()
    contents, data = _Contents(formatter), b'{"task_id": "1"}'
    content = contents.read(data)
    assert formatter.loads(message=data) is content and formatter.read == 1
    # It may have changed what it got: who reads the same bytes again gets a new one.
    content["labels"] = {}
    assert formatter.loads(data) == {"task_id": "1"} and formatter.read == 2


def test_messages_that_are_alike_are_not_taken_for_each_other():
    formatter = counting_formatter()
    contents = _Contents(formatter)
    first, second = bytearray(b'{"n": 1}'), bytearray(b'{"n": 1}')
    one, other = contents.read(first), contents.read(second)
    assert formatter.loads(second) is other and formatter.loads(first) is one is not other


def test_messages_that_the_receiver_never_reads_are_not_kept_for_ever():
    formatter = counting_formatter()
    contents = _Contents(formatter)
    every = [b'{"n": %d}' % number for number in range(KEPT + 1)]
    for data in every:
        contents.read(data)
    assert [formatter.loads(data)["n"] for data in every] == list(range(KEPT + 1))
    assert formatter.read == 2 * KEPT + 1
