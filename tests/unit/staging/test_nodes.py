"""Folders of several nodes make one History; what is missing or contradicts itself is refused with a reason."""

import json

import pytest

from jobharness.agent import events
from jobharness.agent.recorder import Recorder
from jobharness.contracts.contract import Word, judge
from jobharness.contracts.no_phantoms import NoPhantoms
from jobharness.contracts.observed import Observed
from jobharness.errors import ClocksUnknown, NodeUnreadable
from jobharness.staging.nodes import NODE_FILE, NodeFile, gather, gather_around, read_node, write_node
from jobharness.staging.offsets import Exchange

MS = 1_000_000
HALF_MS_AHEAD = Exchange(0, 500_100, 500_100, 200)


def node(folder, name, *kinds, at_ns=MS, **said):
    """A node's folder with one record of job "a" for each of `kinds`, a millisecond apart."""
    write_node(folder / name, NodeFile(name, host=f"host of {name}", **said))
    recorder = Recorder(folder / name, "worker", "worker-1", slots=8)
    for number, kind in enumerate(kinds):
        recorder.record(kind, b"a" * 16, time_ns=at_ns + number * MS)
    recorder.close()


def test_nodes_are_moved_to_the_masters_clock(tmp_path):
    node(tmp_path, "zone-1", events.ENQUEUE_BEGIN, events.ENQUEUE_ACKNOWLEDGED, master=True, ended=True)
    node(tmp_path, "east", events.JOB_RUNNING, exchanges=(HALF_MS_AHEAD,))
    whole = gather(tmp_path, {"seed": 5}, drift_ppm=0)
    assert whole.columns["time_ns"].tolist() == [MS, 1_500_000, 2 * MS]
    assert [(one.name, one.host, one.offset_ns, one.bound_ns, one.vanished) for one in whole.nodes] == [
        ("zone-1", "host of zone-1", 0, 0, False),
        ("east", "host of east", 500_000, 100, True),
    ]
    assert whole.header["seed"] == 5 and whole.jobs.height == 1


def test_what_a_node_says_of_itself_is_read_again(tmp_path):
    said = NodeFile.here("east").exchanged(HALF_MS_AHEAD).exchanged(Exchange(5, 6, 7, 8)).as_ended()
    write_node(tmp_path / "east", said)
    assert read_node(tmp_path / "east") == said and said.host


def test_first_by_name_stands_for_the_master_where_there_is_none(tmp_path):
    node(tmp_path, "b", events.JOB_FINISHED, exchanges=(HALF_MS_AHEAD,))
    node(tmp_path, "a", events.JOB_RUNNING)
    assert [one.name for one in gather(tmp_path).nodes] == ["a", "b"]


def test_silent_node_needs_no_clock(tmp_path):
    node(tmp_path, "a", events.JOB_RUNNING, ended=True)
    node(tmp_path, "b")
    assert [one.vanished for one in gather(tmp_path).nodes] == [False, True]


def test_node_without_an_exchange_is_refused(tmp_path):
    node(tmp_path, "a", events.JOB_RUNNING, master=True)
    node(tmp_path, "b", events.JOB_FINISHED)
    with pytest.raises(ClocksUnknown, match="node b: it exchanged no times with the master"):
        gather(tmp_path)


def test_run_is_judged_without_a_node_whose_clock_was_set_meanwhile(tmp_path):
    """What it told counts for nothing, and nobody is accused of what it alone could tell."""
    records, nodes = tmp_path / "records", tmp_path / "nodes"
    records.mkdir()
    worker = Recorder(records, "worker", "worker-1", slots=8)
    worker.record(events.JOB_RUNNING, b"a" * 16)
    worker.close()
    set_meanwhile = (HALF_MS_AHEAD, Exchange(300, 9_500_400, 9_500_400, 500))
    node(nodes, "east", events.ENQUEUE_BEGIN, exchanges=set_meanwhile, ended=True)
    whole = gather_around("master", records, nodes, {"seed": 5})
    assert [(one.name, one.vanished, one.events) for one in whole.nodes] == [("master", False, 1), ("east", True, 0)]
    assert "contradict each other" in Observed().check(whole).sentence
    assert judge(whole, [NoPhantoms()]).word is Word.UNKNOWN


@pytest.mark.parametrize(
    ("names", "said", "words"),
    [
        ([], {}, "has no folder of a node"),
        (["a"], None, f"has no {NODE_FILE}"),
        (["a"], {"host": "h"}, "expected"),
        (["a"], {"name": "a", "exchanges": [[1, 2]]}, "expected"),
        (["a"], "no JSON", "expected"),
        (["a", "b"], {"name": "x"}, "two nodes called x"),
    ],
)
def test_folder_that_is_none_is_refused(tmp_path, names, said, words):
    for name in names:
        (tmp_path / name).mkdir()
        if said is not None:
            (tmp_path / name / NODE_FILE).write_text(said if isinstance(said, str) else json.dumps(said))
    with pytest.raises(NodeUnreadable, match=words):
        gather(tmp_path)


def test_two_masters_are_refused(tmp_path):
    for name in ("a", "b"):
        node(tmp_path, name, events.JOB_RUNNING, master=True)
    with pytest.raises(NodeUnreadable, match=r"2 masters \(a, b\)"):
        gather(tmp_path)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(NodeUnreadable):
        gather(tmp_path / "nowhere")
