"""Whether a broker's data name a job, in whatever way they may spell it; what cannot be told counts as named."""

import base64
import pickle
import uuid
import zlib

import pytest

from jobharness.errors import BrokerFailed
from jobharness.explore.nowhere import may_name

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
    assert not may_name(Readable(b"celery", b'{"headers": {"id": "%s"}}' % OTHER.encode(), b"rq:job:" + OTHER.encode()), JOB)


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
    assert may_name(Readable(b"celery", piece), JOB)


@pytest.mark.parametrize("job_id", ["01J9ZK3Q8N5W2V", "nightly-report:2026-11-30"])
def test_id_that_is_no_uuid_is_looked_for_as_it_is(job_id):
    assert may_name(Readable(b'{"id": "%s"}' % job_id.encode()), job_id)
    assert not may_name(Readable(b'{"id": "something else"}'), job_id)


def test_id_that_may_stand_there_by_chance_counts_as_named():
    assert may_name(Readable(b"celery"), "17")


def test_what_hides_its_jobs_names_none_and_so_no_witness_either():
    """Which is why `Stage.is_forgotten` believes it only when another job was found there."""
    assert not may_name(Readable(zlib.compress(JOB.encode() * 3)), JOB)


@pytest.mark.parametrize("broker", [Unreadable(), object()])
def test_broker_that_cannot_be_read_may_name_any(broker):
    assert may_name(broker, JOB)
