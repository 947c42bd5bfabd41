"""The layout of a record, byte by byte: workers in other languages write it too."""

import struct
import uuid

import pytest

from jobharness.agent import record
from jobharness.history.log import RECORD_DTYPE


def test_record_is_64_bytes_and_its_commit_comes_last():
    assert record.RECORD.size == record.RECORD_BYTES == 64
    fields = (1, b"k" * 16, -2, 3, 4, 5, 6, 7, 8, 0xDEADBEEF)
    raw = record.RECORD.pack(*fields)
    assert raw[record.COMMIT_OFFSET :] == (0xDEADBEEF).to_bytes(4, "little")
    assert raw[:8] == (1).to_bytes(8, "little")
    assert raw[8:24] == b"k" * 16
    assert struct.unpack_from("<q", raw, 24) == (-2,)


def test_a_record_is_the_same_bytes_on_every_machine():
    fields = (2**64 - 1, b"k" * 16, -(2**63), 0xFFFE, 0xFFFF, 7, 2**32 - 1, 1, 0, record.COMMIT)
    raw = record.RECORD.pack(*fields)
    assert raw == struct.pack("<Q16sqHHIIII8xI", *fields)
    assert record.RECORD.unpack(raw) == fields


def test_the_layout_that_the_history_reads_is_the_one_that_is_written():
    assert RECORD_DTYPE.itemsize == record.RECORD_BYTES
    assert RECORD_DTYPE.fields["commit"][1] == record.COMMIT_OFFSET
    assert [RECORD_DTYPE.fields[name][1] for name in ("time_ns", "key_hi", "key_lo", "value", "kind")] == [0, 8, 16, 24, 32]


def test_header_fits_and_its_flags_are_where_they_are_said_to_be():
    assert record.HEADER.size < record.HEADER_BYTES
    raw = record.HEADER.pack(record.MAGIC, 1, 0xAABBCCDD, 7, 0, 9, 0)
    assert raw[record.FLAGS_OFFSET : record.FLAGS_OFFSET + 4] == (0xAABBCCDD).to_bytes(4, "little")


UUID = "8b1a9953-c461-4296-a827-abf8c47804d7"


@pytest.mark.parametrize("job_id", [UUID, UUID.replace("-", ""), uuid.UUID(UUID)])
def test_uuid_is_its_own_key(job_id):
    assert record.key_of(job_id) == uuid.UUID(UUID).bytes


@pytest.mark.parametrize(
    ("job_id", "form"),
    [(UUID, 0), (UUID.replace("-", ""), record.HEX), ("17", record.DECIMAL), (17, record.DECIMAL), (0, record.DECIMAL),
     (10**18 - 1, record.DECIMAL)],
)  # fmt: skip
def test_key_spells_the_id_that_it_was_made_of(job_id, form):
    key, text = record.identity(job_id)
    assert text == form and record.spelt(key, text) == str(job_id)


@pytest.mark.parametrize(
    "job_id",
    [UUID.upper(), UUID.replace("-", "").upper(), "{8b1a9953-c461-4296-a827-abf8c478}", "8b1a-99537c461-4296-a827-abf8c47804d7",
     "017", "-1", "+1", "1.0", "\u0661", "\u00b2", "1" * 19, 2**63, "", " 1"],
)  # fmt: skip
def test_id_that_its_key_does_not_spell_is_written_as_a_text(job_id):
    assert record.identity(job_id)[1] is None


@pytest.mark.parametrize("job_id", ["order:17", "", "x" * 36, "y" * 32, 17, None, "\ud800"])
def test_any_id_has_a_key_of_16_bytes_and_no_other_has_the_same(job_id):
    assert len(record.key_of(job_id)) == 16
    assert record.key_of(job_id) != record.key_of("another")
    assert record.key_of(job_id) == record.key_of(job_id) != record.NO_JOB
