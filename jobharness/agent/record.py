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
attempt    uint16 the library's own count of this execution, from 1; 0 unknown, 65535 that or more
process    uint32 the operating system's process id
task       uint32 number of a text: the task's name
text       uint32 number of a text: exception, label or job id; `HEX` or `DECIMAL`
group      uint32 number of a text: the key that order and limits go by
reserved   uint64 zero
commit     uint32 `COMMIT` and the slot's number in the file
========== ====== =================================================================

The record files of a process are called `ROLE.NAME.PROCESS.TIME.SEGMENT.rec`. Its texts stand beside them in
`ROLE.NAME.PROCESS.TIME.texts`, one `[number, "text"]` of JSON a line; numbers begin at 1, 0 is no text, and a text is written
before the first record that names it. An empty `ROLE.NAME.PROCESS.TIME.failed` says that it could not open its first file.

A job's id is the text of an event that begins its life or an execution, unless its key spells it: 0 there is a UUID in its usual
form, `HEX` (0xFFFFFFFF) the same in 32 hexadecimal digits, and `DECIMAL` (0xFFFFFFFE) the number that the key ends with.

A fork may write its first records into slots that its parent lent it, in the parent's file (`FLAG_LENDS`); it fills those that it
does not need with records of kind `VOID`. The header of files of its own then says so: `lender` is the parent's
`ROLE.NAME.PROCESS.TIME`, whose texts with a number below `lent_texts` are the fork's, too.
"""

import hashlib
import struct
import sys

SCHEMA = 3
MAGIC = b"JHRECORD"
HEADER_BYTES = 4096
HEADER = struct.Struct("<8sIIIIQI")  # magic, schema, flags, process, segment, started_ns, json_bytes
FLAGS_OFFSET = 12
FLAG_FAILED = 1  # The recorder could not go on: later events of this process are missing.
FLAG_CLOSED = 2  # The process ended its recording in order.
FLAG_LENDS = 4  # Some of the file's slots are for the forks of its process, which may outlive it.

# The same by the machine's own size of memory, where that is 64 little-endian bits: Python writes a time faster so.
RECORD = struct.Struct("@N16sqHHIIII8xI" if sys.byteorder == "little" and struct.calcsize("N") == 8 else "<Q16sqHHIIII8xI")
RECORD_BYTES = 64
COMMIT = 0x4A425321
COMMIT_OFFSET = 60
FAILED_SUFFIX = ".failed"
SLOTS = 32768  # In one file: 2 MiB. A process that records more goes on in its next file.
VOID = 0xFFFF  # The kind of a record that says nothing. Not 0, which is what an empty slot says.
NO_JOB = b"\0" * 16
HEX = 0xFFFFFFFF  # Where a text may be a job's id: the id is the key in 32 hexadecimal digits,
DECIMAL = 0xFFFFFFFE  # or a whole number, with which the key ends.
WHOLE = b"decimal:"  # A key that is a whole number begins so, and ends with it, in 8 bytes.
WHOLES = 10**18  # Numbers below this one are kept so.

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
    """The 128-bit key of a job id: a UUID is its own key, a whole number stands in it, anything else is hashed (BLAKE2b)."""
    return identity(job_id)[0]


def identity(job_id):
    """`(key_of(job_id), text)`; text: 0, HEX or DECIMAL, as `spelt` takes it, or None where the key does not tell the id.

    It takes half the time that `uuid.UUID` takes for the key alone: each job pays it.
    """
    words = str(job_id)
    if len(words) in (32, 36):
        digits = words.replace("-", "")
        if len(digits) == 32:
            try:
                key = bytes.fromhex(digits)  # It lets spaces pass, hence the length.
            except ValueError:
                key = b""
            if len(key) == 16:
                if words == words.lower() and (len(words) == 32 or words[8:24:5] == "----"):
                    return key, HEX if len(words) == 32 else 0
                return key, None
    elif len(words) < 19 and words.isdecimal() and words.isascii() and (words[0] != "0" or words == "0"):
        return WHOLE + int(words).to_bytes(8, "big"), DECIMAL
    return hashlib.blake2b(words.encode("utf-8", "replace"), digest_size=16).digest(), None


def spelt(key, text):
    """The job id that a key spells in the form of `text`: 0 (a UUID as usual), HEX or DECIMAL."""
    if text == DECIMAL:
        return str(int.from_bytes(key[8:], "big"))
    digits = key.hex()
    return digits if text == HEX else "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
