"""What the adapters of RQ, Dramatiq, Huey, arq and SAQ do without a server: commands, refusals, and reading what they are given."""

import collections
import gzip
import pickle
import sys
import types
from pathlib import Path

import pytest

from jobharness.catalog import queue_kind
from jobharness.errors import InvalidRequest
from jobharness.queues.huey import _held
from jobharness.queues.rq import _job_id
from jobharness.scenario.model import QueueSpec

PYTHON = Path("/nowhere/bin/python")


def command(adapter, **queue):
    return queue_kind(adapter)(QueueSpec(adapter=adapter, **queue)).worker_command(PYTHON, "worker-1")[1:]


@pytest.mark.parametrize(
    ("adapter", "queue", "wanted"),
    [
        ("rq", {"app": "shop:queue", "arguments": ["high", "low"]}, "-m rq.cli worker high low"),
        ("rq", {"app": "shop:queue", "pool": "simple"}, "-m rq.cli worker --worker-class rq.worker.SimpleWorker"),
        ("dramatiq", {"app": "shop:broker"}, "-m dramatiq shop:broker"),
        ("dramatiq", {"app": "shop:broker", "concurrency": 4}, "-m dramatiq shop:broker --processes 1 --threads 4"),
        (
            "dramatiq",
            {"app": "shop:broker", "concurrency": 3, "pool": "processes", "arguments": ["shop.more"]},
            "-m dramatiq shop:broker shop.more --processes 3 --threads 1",
        ),
        (
            "huey",
            {"app": "shop:huey", "pool": "process", "concurrency": 2},
            "-m huey.bin.huey_consumer shop.huey -k process -w 2",
        ),
        ("arq", {"app": "shop:WorkerSettings"}, "-m arq shop.WorkerSettings"),
        ("saq", {"app": "shop.settings", "arguments": ["--verbose"]}, "-m saq shop.settings --verbose"),
    ],
)
def test_worker_is_started_by_the_documented_command(adapter, queue, wanted):
    assert command(adapter, **queue) == wanted.split()


def test_script_beside_the_interpreter_comes_first(tmp_path):
    (tmp_path / "rq").touch()
    queue = queue_kind("rq")(QueueSpec(adapter="rq", app="shop:queue"))
    assert queue.worker_command(tmp_path / "python", "worker-1") == [str(tmp_path / "rq"), "worker"]


@pytest.mark.parametrize(
    ("adapter", "queue", "said"),
    [
        ("rq", {"concurrency": 4}, "set queue.workers instead"),
        ("rq", {"pool": "threads"}, "RQ has the kinds fork, simple, spawn, not 'threads'"),
        ("rq", {"settings": {"maintenance_intervall": 5}}, "did you mean 'maintenance_interval'"),
        ("dramatiq", {"pool": "prefork"}, "Dramatiq has the pools threads, processes, not 'prefork'"),
        ("huey", {"settings": {"worker": 5}}, "did you mean 'workers'"),
        ("arq", {"concurrency": 4}, "write max_jobs in"),
        ("saq", {"concurrency": 4}, "write concurrency in"),
        ("saq", {"pool": "threads"}, "SAQ has no pools"),
    ],
)
def test_what_a_library_cannot_do_is_refused_with_what_to_do(adapter, queue, said):
    with pytest.raises(InvalidRequest) as refusal:
        command(adapter, app="shop:app", **queue)
    assert said in str(refusal.value)


@pytest.fixture
def message(monkeypatch):
    """A class that pickles as Huey's messages do."""
    module = types.ModuleType("huey.registry")
    module.Message = collections.namedtuple("Message", "id name eta args")
    module.Message.__module__ = "huey.registry"
    monkeypatch.setitem(sys.modules, "huey", types.ModuleType("huey"))
    monkeypatch.setitem(sys.modules, "huey.registry", module)
    return module.Message("d5b1", "shop.charge", None, ("other-id",))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_id_of_a_huey_message_is_read_without_unpickling_it(message, protocol):
    raw = pickle.dumps(message, protocol)
    assert [held.job_id for held in _held(raw, "here")] == ["d5b1"]
    assert [held.job_id for held in _held(gzip.compress(raw), "here")] == ["d5b1"]


@pytest.mark.parametrize("raw", [b"", b"{}", pickle.dumps(["huey.registry"]), b"\x80\x05broken"])
def test_what_is_no_huey_message_is_left_out(raw):
    assert list(_held(raw, "here")) == []


def test_started_job_of_rq_is_named_with_or_without_its_execution():
    assert [_job_id(b"0b1c:9f"), _job_id(b"0b1c")] == ["0b1c", "0b1c"]
