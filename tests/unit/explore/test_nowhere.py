"""Whether a broker's data name a job, in whatever way they may spell it; and whether that can be told at all."""

import base64
import pickle
import uuid
import zlib

import pytest

from jobharness.errors import BrokerFailed
from jobharness.explore.nowhere import named

JOB = "0b0c6a7e-4f0e-4a51-9f1c-0123456789ab"
OTHER = "ffffffff-4f0e-4a51-9f1c-0123456789ab"


class Readable:
    """A broker that stores these pieces."""

    def __init__(self, *pieces):
        self._pieces = pieces

    def stored(self):
        yield from self._pieces


class Unreadable:
    """A broker that stores what it does not show."""

    def stored(self):
        yield b"something"
        raise BrokerFailed("stores a bloom filter, which is not read here")


def test_what_is_stored_nowhere_is_not_named():
    broker = Readable(b"celery", b'{"headers": {"id": "%s"}}' % OTHER.encode(), b"rq:job:" + OTHER.encode())
    assert named(broker, [JOB, OTHER]) == [False, True]


@pytest.mark.parametrize(
    "piece",
    [
        JOB.encode(),
        b'{"headers": {"id": "%s"}}' % JOB.encode(),
        b"rq:job:" + JOB.encode(),
        uuid.UUID(JOB).hex.encode(),
        b"\x12" + uuid.UUID(JOB).bytes,
        pickle.dumps({"id": uuid.UUID(JOB).hex}),
        *(base64.b64encode(b"x" * shift + JOB.encode() + b'", "retries": 0}') for shift in range(3)),
        base64.b64encode(pickle.dumps([uuid.UUID(JOB).hex])),
    ],
)
def test_job_is_named_however_its_id_is_spelt(piece):
    assert named(Readable(b"celery", piece), [JOB]) == [True]


@pytest.mark.parametrize("job_id", ["01J9ZK3Q8N5W2V", "nightly-report:2026-11-30"])
def test_id_that_is_no_uuid_is_looked_for_as_it_is(job_id):
    assert named(Readable(b'{"id": "%s"}' % job_id.encode()), [job_id]) == [True]
    assert named(Readable(b'{"id": "something else"}'), [job_id]) == [False]


def test_of_an_id_that_may_stand_there_by_chance_nothing_is_told():
    assert named(Readable(b"celery"), [JOB, "17"]) is None


def test_what_hides_its_jobs_names_none_and_so_no_witness_either():
    """Which is why `Stage.prove_loss` believes it only when another job was found there."""
    assert named(Readable(zlib.compress(JOB.encode() * 3)), [JOB]) == [False]


@pytest.mark.parametrize("broker", [Unreadable(), object()])
def test_of_a_broker_that_cannot_be_read_nothing_is_told(broker):
    assert named(broker, [JOB]) is None
