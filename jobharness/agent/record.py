"""The record: 64 bytes that say one thing that happened. The layout's one home.

A record file starts with a header of 4096 bytes (`HEADER`, then JSON that says which process wrote
it), followed by slots of 64 bytes. A slot is written field by field in the order of the
layout and its last field, `commit`, comes last: a slot whose `commit` does not match its place in the
file was cut off by a crash, or was never used, and is not a record.

Fields, little-endian:

========== ====== =================================================================
time_ns    uint64 CLOCK_MONOTONIC of the machine
key        16 B   the job (see `key_of`); 16 zero bytes where there is none
value      int64  one small value; its meaning belongs to the kind of event
kind       uint16 one of `jobharness.history.event.Kind`
attempt    uint16 the library's own count of this execution, from 1; 0 unknown
process    uint32 the operating system's process id
task       uint32 number of a text: the task's name
text       uint32 number of a text: exception, label or job id
group      uint32 number of a text: the key that order and limits go by
reserved   uint64 zero
commit     uint32 the slot's number in the file, exclusive-or `COMMIT`
========== ====== =================================================================

The record files of a process are called `ROLE.NAME.PROCESS.TIME.SEGMENT.rec`. Its texts stand beside them in
`ROLE.NAME.PROCESS.TIME.texts`, one `[number, "text"]` of JSON a line; numbers begin at 1, 0 is no text, and a text is written
before the first record that names it. An empty `ROLE.NAME.PROCESS.TIME.failed` says that it could not open its first file.
"""

import hashlib
import struct

SCHEMA = 1
MAGIC = b"JHRECORD"
HEADER_BYTES = 4096
HEADER = struct.Struct("<8sIIIIQI")  # magic, schema, flags, process, segment, started_ns, json_bytes
FLAGS_OFFSET = 12
FLAG_FAILED = 1  # The recorder could not go on: later events of this process are missing.
FLAG_CLOSED = 2  # The process ended its recording in order.

RECORD = struct.Struct("<Q16sqHHIIIIQI")
RECORD_BYTES = 64
COMMIT = 0x4A425321
COMMIT_OFFSET = 60
FAILED_SUFFIX = ".failed"
SLOTS = 32768  # In one file: 2 MiB. A process that records more goes on in its next file.
NO_JOB = b"\0" * 16

FIELDS = (
    ("time_ns", "<u8"),
    ("key_hi", ">u8"),
    ("key_lo", ">u8"),
    ("value", "<i8"),
    ("kind", "<u2"),
    ("attempt", "<u2"),
    ("process", "<u4"),
    ("task", "<u4"),
    ("text", "<u4"),
    ("group", "<u4"),
    ("reserved", "<u8"),
    ("commit", "<u4"),
)

assert RECORD.size == RECORD_BYTES


def key_of(job_id):
    """The 128-bit key of a job id: a UUID is its own key, anything else is hashed (BLAKE2b)."""
    return identity(job_id)[0]


def is_its_own_key(job_id):
    """Whether the id can be read back from its key, so that it need not be written as a text: a UUID in its usual form."""
    return identity(job_id)[1]


def identity(job_id):
    """`(key_of(job_id), is_its_own_key(job_id))`, in half the time that `uuid.UUID` takes for the key alone: each job pays it."""
    if isinstance(job_id, str) and len(job_id) in (32, 36):
        digits = job_id.replace("-", "")
        if len(digits) == 32:
            try:
                key = bytes.fromhex(digits)  # It lets spaces pass, hence the length.
            except ValueError:
                key = b""
            if len(key) == 16:
                return key, job_id[8:24:5] == "----" and job_id == job_id.lower()
    return hashlib.blake2b(str(job_id).encode("utf-8", "replace"), digest_size=16).digest(), False
