"""Histories of several nodes become one: one clock, jobs joined, processes and texts apart."""

import polars as pl
import pytest

from jobharness.history import log
from jobharness.history.clocks import Node
from jobharness.history.event import Kind
from jobharness.history.nodes import merge
from tests.histories import history

S = 1_000_000_000

MASTER = history("""
    1.000  producer   enqueue.begin         a  value=1s task=charge
    1.001  producer   enqueue.acknowledged  a
    1.500  producer   enqueue.begin         b  value=1500ms text=b
    1.501  producer   enqueue.acknowledged  b
""")
FIRST = history("""
    100.010  worker-1  job.running   a  task=charge
    100.020  worker-1  job.finished  a
    100.300  worker-1  resource.memory  -  text=worker-1 value=7 group=1
""")
SECOND = history("""
    0.600  worker-1/1000  job.running   b  task=refund
    0.700  worker-1/1000  job.finished  b
    0.800  worker-1/1000  enqueue.not_before  c  value=2s
    0.800  worker-1/1000  enqueue.begin  c
""")


def merged(*told):
    return merge(told or (
        (Node("master"), MASTER),
        (Node("east", "h2", -99 * S, 5), FIRST),
        (Node("west", "h3", 1 * S, 7, vanished=True), SECOND),
    ), {"schema": 1, "seed": 7})  # fmt: skip


def told(whole):
    return [(moment.since_s, moment.kind.name_, moment.worker) for moment in whole.life(0)]


def test_times_are_moved_to_the_first_nodes_clock():
    whole = merged()
    assert told(whole) == [
        (0.0, "enqueue.begin", "producer"),
        (0.001, "enqueue.acknowledged", "producer"),
        (0.01, "job.running", "east/worker-1"),
        (0.02, "job.finished", "east/worker-1"),
    ]
    assert whole.events["time_ns"].is_sorted()


def test_jobs_of_several_nodes_are_one_and_stand_in_the_order_of_their_first_event():
    whole = merged()
    assert whole.jobs["id"].to_list() == ["a", "b", "c"]
    assert whole.tally.count(Kind.JOB_FINISHED).tolist() == [1, 1, 0]


def test_moments_in_values_move_too_but_for_those_that_nobody_named():
    whole = merged()
    assert whole.tally.first_value(Kind.ENQUEUE_BEGIN).tolist() == [S, 1_500_000_000, 0]
    assert whole.tally.first_value(Kind.ENQUEUE_NOT_BEFORE)[2] == 3 * S


def test_processes_of_one_name_and_number_stay_apart():
    whole = merged()
    assert whole.processes["name"].to_list() == ["producer", "east/worker-1", "west/worker-1"]
    assert whole.processes["pid"].n_unique() == 3 and len(set(whole.workers.tolist())) == 3
    (row,) = whole.columns.rows(Kind.RESOURCE_MEMORY).tolist()
    assert whole.text(whole.events["text"][row]) == "east/worker-1"


def test_strikes_follow_their_process_where_its_number_is_told_apart():
    node = history("0.1  worker-1/1000 job.running a\n0.2  harness/9  fault.hit  a  value=1000 text=kill")
    whole = merged((Node("master"), MASTER), (Node("east"), node))
    assert MASTER.processes["pid"].to_list() == [1000]
    assert whole.executions.alive_ns.tolist() == [200_000_000]


def test_what_is_known_of_the_nodes_is_kept_and_loaded_again(tmp_path):
    log.save(merged(), tmp_path / "history.parquet")
    loaded = log.load(tmp_path / "history.parquet")
    assert loaded.nodes == (
        Node("master", "", 0, 0, False, 1, 2, 4),
        Node("east", "h2", -99 * S, 5, False, 1, 1, 3),
        Node("west", "h3", S, 7, True, 1, 2, 4),
    )
    assert loaded.clocks.bounds_ns.tolist() == [0, 5, 7] and not loaded.clocks.exact
    assert loaded.header["seed"] == 7


def test_merging_one_changes_nothing():
    whole = merged((Node("master"), MASTER))
    for table in ("events", "jobs", "processes"):
        assert getattr(whole, table).equals(getattr(MASTER, table))
    assert whole.clocks.exact and whole.texts.to_list() == MASTER.texts.to_list()


def test_torn_records_add_up():
    one, other = history("0 worker-1 job.running a", torn=2), history("0 worker-1 job.running b", torn=1)
    assert merged((Node("master"), one), (Node("east"), other)).header["torn"] == 3


def test_nodes_that_told_nothing_are_listed():
    empty = history("")
    whole = merged((Node("master"), MASTER), (Node("east", vanished=True), empty))
    assert [node.name for node in whole.nodes] == ["master", "east"] and len(whole) == len(MASTER)
    assert len(merged((Node("master"), empty))) == 0


def test_id_that_one_node_alone_knows_is_kept():
    anonymous = history("0.5 worker-1 job.running a")
    nameless = type(anonymous)(
        anonymous.events,
        anonymous.jobs.with_columns(id=pl.lit(None, pl.String)),
        anonymous.processes,
        anonymous.texts,
        anonymous.header,
    )
    assert merged((Node("east"), nameless), (Node("master"), MASTER)).jobs["id"].to_list() == ["a", "b"]


@pytest.mark.parametrize("unsure", range(1, 9))
def test_any_two_clocks_are_each_once_early_while_the_other_is_late(unsure):
    nodes = [(Node("master"), MASTER), *((Node(f"n{number}", bound_ns=number + 1), history("")) for number in range(unsure))]
    shifts = [shift.tolist() for shift in merged(*nodes).clocks.shifts_ns()]
    ways = {
        (one, other, shift[one] < 0 < shift[other])
        for shift in shifts
        for one in range(1, unsure + 1)
        for other in range(1, unsure + 1)
    }
    assert all((one, other, True) in ways for one, other, _ in ways if one != other)
    assert all(shift[0] == 0 for shift in shifts)
