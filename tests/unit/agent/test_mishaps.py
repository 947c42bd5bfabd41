"""Orders befall the executions that they name, and no others."""

import asyncio
import json
import os
import shutil
import threading
import time
import uuid

import pytest

from jobharness.agent.mishaps import Mishaps, OrderedToFail
from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Kind

JOB = str(uuid.UUID(int=1))


def about(task):
    return lambda *_, **__: (task, JOB)


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
    assert mishaps(place).around(lambda x: x + 1, about("t"))(1) == 2
    assert hits(place) == 0


def test_ordered_execution_raises_and_is_recorded_with_its_job(place):
    run = mishaps(place).around(lambda: None, about("t"))
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
    assert wrapped.around(lambda: "fine", about("t"))() == "fine"
    with pytest.raises(OrderedToFail):
        wrapped.around(lambda: "fine", about("other"))()


def test_hits_are_counted_over_all_threads_and_processes(place):
    """Two recorders stand for two processes: the count lives in files."""
    order(place, action="raise", hits=5)
    runs = [mishaps(place, name).around(lambda: None, about("t")) for name in ("worker-1", "worker-2")]
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
    run = mishaps(place).around(lambda: "fine", about("t"))
    order(place, action="raise")
    with pytest.raises(OrderedToFail):
        run()
    for path in (place / "mishaps").glob("*.json"):
        path.unlink()
    assert run() == "fine"


def test_share_of_executions_follows_the_seed(place):
    order(place, action="raise", share=0.5)

    def outcomes():
        shutil.rmtree(place / "mishaps" / "hits")
        (place / "mishaps" / "hits").mkdir()  # As in another run.
        run, seen = mishaps(place).around(lambda: None, about("t")), []
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


def test_second_strike_of_a_fault_has_hits_of_its_own(place):
    run = mishaps(place).around(lambda: "fine", about("t"))
    for seed in (1, 2):
        order(place, action="raise", hits=1, seed=seed)
        with pytest.raises(OrderedToFail):
            run()
        assert run() == "fine"


@pytest.mark.parametrize("action", ["hang", "block"])
@pytest.mark.parametrize("coroutine", [False, True])
def test_what_hangs_goes_on_when_its_order_is_over(place, action, coroutine):
    async def task():
        return "fine"

    wrapped = mishaps(place).around(task if coroutine else lambda: "fine", about("t"))
    order(place, action=action)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(asyncio.run(wrapped()) if coroutine else wrapped()))
    thread.start()
    deadline = time.monotonic() + 10
    while not hits(place) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not answers
    for path in (place / "mishaps").glob("*.json"):
        path.unlink()
    thread.join(10)
    assert answers == ["fine"]


def test_block_holds_the_loop_and_a_hang_does_not(place):
    async def beside(action):
        order(place, action=action, delay_s=0.3, seed=action)
        turns, hanging = 0, asyncio.ensure_future(wrapped())
        while not hanging.done():
            await asyncio.sleep(0.01)
            turns += 1
        return turns

    async def task():
        return "fine"

    wrapped = mishaps(place).around(task, about("t"))
    assert asyncio.run(beside("hang")) > 5 > asyncio.run(beside("block"))


def test_coroutine_is_wrapped_as_a_coroutine(place):
    async def task(x):
        return x + 1

    run = mishaps(place).around(task, about("t"))
    assert asyncio.run(run(1)) == 2
    order(place, action="raise")
    with pytest.raises(OrderedToFail):
        asyncio.run(run(1))


def test_answers_can_be_spoilt(place):
    run = mishaps(place).around(lambda: "fine", about("t"))
    order(place, action="huge", size_bytes=100)
    assert run() == "x" * 100
    for path in (place / "mishaps").glob("*.json"):
        path.unlink()
    order(place, action="unserialisable")
    with pytest.raises(TypeError):
        json.dumps(run())


def test_leaks_are_kept(place):
    wrapped = mishaps(place)
    run = wrapped.around(lambda: None, about("t"))
    order(place, action="leak-descriptors", size_bytes=3)
    run(), run()
    assert len(wrapped._leaks) == 6
    for descriptor in wrapped._leaks:
        os.close(descriptor)
