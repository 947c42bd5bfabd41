"""Orders befall the executions that they name, and no others."""

import asyncio
import json
import os
import threading
import uuid

import pytest

from jobharness.agent.mishaps import Mishaps, OrderedToFail
from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Kind

JOB = str(uuid.UUID(int=1))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "mishaps" / "hits").mkdir(parents=True)
    return tmp_path


def order(place, **order):
    plain = {
        "label": "task#1",
        "task": "",
        "hits": 0,
        "share": 1.0,
        "seed": 1,
        "delay_s": 0,
        "factor": 1,
        "size_bytes": 8,
        "code": 3,
    }
    hidden = place / "mishaps" / "order.new"
    hidden.write_text(json.dumps({**plain, **order}))
    hidden.rename(place / "mishaps" / f"{order.get('label', 'order')}.json")


def mishaps(place, name="worker-1"):
    return Mishaps(place / "mishaps", Recorder(place / "records", "worker", name))


def hits(place):
    history = log.gather(place / "records", {})
    return history.of(Kind.FAULT_HIT).collect().height


def test_without_an_order_the_task_runs_as_it_is(place):
    assert mishaps(place).around("t", lambda x: x + 1, lambda: JOB)(1) == 2
    assert hits(place) == 0


def test_ordered_execution_raises_and_is_recorded_with_its_job(place):
    run = mishaps(place).around("t", lambda: None, lambda: JOB)
    order(place, action="raise")
    with pytest.raises(OrderedToFail, match="task#1"):
        run()
    history = log.gather(place / "records", {})
    (hit,) = history.of(Kind.FAULT_HIT).collect().iter_rows(named=True)
    assert history.job_id(hit["job"]) == JOB
    assert history.text(hit["text"]) == "task#1"
    assert hit["value"] == os.getpid()


def test_only_the_named_task_is_hit(place):
    wrapped = mishaps(place)
    order(place, action="raise", task="other")
    assert wrapped.around("t", lambda: "fine", lambda: JOB)() == "fine"
    with pytest.raises(OrderedToFail):
        wrapped.around("other", lambda: "fine", lambda: JOB)()


def test_hits_are_counted_over_all_threads_and_processes(place):
    """Two recorders stand for two processes: the count lives in files."""
    order(place, action="raise", hits=5)
    runs = [mishaps(place, name).around("t", lambda: None, lambda: JOB) for name in ("worker-1", "worker-2")]
    failed = []

    def work(run):
        for _ in range(20):
            try:
                run()
            except OrderedToFail:
                failed.append(1)

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 5


def test_order_that_is_taken_back_hits_no_more(place):
    run = mishaps(place).around("t", lambda: "fine", lambda: JOB)
    order(place, action="raise")
    with pytest.raises(OrderedToFail):
        run()
    for path in (place / "mishaps").glob("*.json"):
        path.unlink()
    assert run() == "fine"


def test_share_of_executions_follows_the_seed(place):
    order(place, action="raise", share=0.5)

    def outcomes():
        run, seen = mishaps(place).around("t", lambda: None, lambda: JOB), []
        for _ in range(40):
            try:
                run()
                seen.append(0)
            except OrderedToFail:
                seen.append(1)
        return seen

    first = outcomes()
    assert 8 < sum(first) < 32
    assert outcomes() == first


def test_coroutine_is_wrapped_as_a_coroutine(place):
    async def task(x):
        return x + 1

    run = mishaps(place).around("t", task, lambda: JOB)
    assert asyncio.run(run(1)) == 2
    order(place, action="raise")
    with pytest.raises(OrderedToFail):
        asyncio.run(run(1))


def test_answers_can_be_spoilt(place):
    run = mishaps(place).around("t", lambda: "fine", lambda: JOB)
    order(place, action="huge", size_bytes=100)
    assert run() == "x" * 100
    for path in (place / "mishaps").glob("*.json"):
        path.unlink()
    order(place, action="unserialisable")
    with pytest.raises(TypeError):
        json.dumps(run())


def test_leaks_are_kept(place):
    wrapped = mishaps(place)
    run = wrapped.around("t", lambda: None, lambda: JOB)
    order(place, action="leak-descriptors", size_bytes=3)
    run(), run()
    assert len(wrapped._leaks) == 6
    for descriptor in wrapped._leaks:
        os.close(descriptor)
