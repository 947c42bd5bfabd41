"""The layout of a record, byte by byte: workers in other languages write it too."""

import struct
import uuid

import pytest

from jobharness.agent import record
from jobharness.history.log import RECORD_DTYPE


def test_record_is_64_bytes_and_its_commit_comes_last():
    assert record.RECORD.size == record.RECORD_BYTES == 64
    fields = (1, b"k" * 16, -2, 3, 4, 5, 6, 7, 8, 0, 0xDEADBEEF)
    raw = record.RECORD.pack(*fields)
    assert raw[record.COMMIT_OFFSET :] == (0xDEADBEEF).to_bytes(4, "little")
    assert raw[:8] == (1).to_bytes(8, "little")
    assert raw[8:24] == b"k" * 16
    assert struct.unpack_from("<q", raw, 24) == (-2,)


def test_the_layout_that_the_history_reads_is_the_one_that_is_written():
    assert RECORD_DTYPE.itemsize == record.RECORD_BYTES
    assert RECORD_DTYPE.fields["commit"][1] == record.COMMIT_OFFSET
    assert [RECORD_DTYPE.fields[name][1] for name in ("time_ns", "key_hi", "key_lo", "value", "kind")] == [0, 8, 16, 24, 32]


def test_header_fits_and_its_flags_are_where_they_are_said_to_be():
    assert record.HEADER.size < record.HEADER_BYTES
    raw = record.HEADER.pack(record.MAGIC, 1, 0xAABBCCDD, 7, 0, 9, 0)
    assert raw[record.FLAGS_OFFSET : record.FLAGS_OFFSET + 4] == (0xAABBCCDD).to_bytes(4, "little")


def test_uuid_is_its_own_key():
    job_id = "8b1a9953-c461-4296-a827-abf8c47804d7"
    assert record.key_of(job_id) == uuid.UUID(job_id).bytes
    assert record.is_its_own_key(job_id)


@pytest.mark.parametrize(
    "job_id", ["8B1A9953-C461-4296-A827-ABF8C47804D7", "8b1a9953c4614296a827abf8c47804d7", "{8b1a9953-c461-4296-a827-abf8c478}"]
)
def test_id_that_its_key_does_not_give_back_is_written_as_a_text(job_id):
    assert not record.is_its_own_key(job_id)


@pytest.mark.parametrize("job_id", ["order:17", "", "x" * 36, "y" * 32, 17, None, "\ud800"])
def test_any_id_has_a_key_of_16_bytes_and_no_other_has_the_same(job_id):
    assert len(record.key_of(job_id)) == 16
    assert record.key_of(job_id) != record.key_of("another")
    assert record.key_of(job_id) == record.key_of(job_id) != record.NO_JOB
    assert not record.is_its_own_key(job_id)
