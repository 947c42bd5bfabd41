"""Writes records so that SIGKILL at any instant loses none that was written and tears none that is read.

Each process appends to its own file through a shared mapping: a record is in the kernel's page cache
the moment it is stored, and the page cache outlives the process. The blocks are allocated before they
are mapped, so a full disk is an error here and never a SIGBUS in the worker.
"""

import errno
import functools
import itertools
import json
import mmap
import operator
import os
import socket
import struct
import sys
import threading
import weakref
from time import monotonic_ns

from . import record
from .wrapping import one_line

_FLAGS = struct.Struct("<I")
JOBS_IN_HAND = 1024
fromhex = bytes.fromhex
WHOLE, WHOLES, DECIMAL, HEX = record.WHOLE, record.WHOLES, record.DECIMAL, record.HEX
FIRST_SLOTS = 1024  # In the first file of a process: most have little to tell, and whoever reads a file reads all of it.
FORK_SLOTS = 128  # In the first file of a fork: a library may fork for every job, and 2 MiB a job would fill the disk.
ATTEMPTS = 0xFFFF  # What its field holds; a later one is told as this one.
LENT = 6  # Slots that a fork gets of its parent's file: what one job takes. Files of its own cost it a millisecond and more.


class _Segment:
    """One mapped file and what hands out its slots.

    `take()`: `(commit, place, buffer)` of the next one, its place in bytes; StopIteration when none is left. It is made of C
    alone, and so atomic in CPython.
    """

    __slots__ = ("buffer", "left", "take")
    borrowed = False

    def __init__(self, buffer, slots):
        self.buffer, self.left = buffer, iter(range(record.COMMIT, record.COMMIT + slots))
        places = range(record.HEADER_BYTES, record.HEADER_BYTES + slots * record.RECORD_BYTES, record.RECORD_BYTES)
        self.take = zip(self.left, places, itertools.repeat(buffer)).__next__

    @property
    def full(self):
        return operator.length_hint(self.left) == 0


class _Loan(_Segment):
    """The slots that another process lent of its file: what its own `take()` gave."""

    __slots__ = ()
    borrowed = True

    def __init__(self, buffer, lent):
        self.buffer, self.left = buffer, iter(lent)
        self.take = self.left.__next__


class _Numbers(dict):
    """The number of each text, found when it is first asked for. A dict's own `__getitem__` costs a known one no Python call."""

    __slots__ = ("find",)

    def __init__(self, find):
        self.find = find

    def __missing__(self, words):
        return self.find(words)


class _Jobs(dict):
    """`(key, text)` of the jobs in hand: each is spoken of several times in a row."""

    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text

    def __missing__(self, job_id):
        # Every job comes here once, and a call of another function would cost it as much as all of this.
        kind, known = type(job_id), None
        if kind is str:
            size = len(job_id)
            try:
                if size == 36:
                    key = fromhex(job_id.replace("-", " "))  # It lets spaces pass.
                    if len(key) == 16 and job_id[8:24:5] == "----" and job_id == job_id.lower():
                        known = key, 0
                elif size == 32:
                    key = fromhex(job_id)
                    if key.hex() == job_id:
                        known = key, HEX
            except ValueError:
                pass
        elif kind is int and 0 <= job_id < WHOLES:
            known = WHOLE + job_id.to_bytes(8, "big"), DECIMAL
        if known is None:
            key, form = record.identity(job_id)
            known = key, self.text(str(job_id)) if form is None else form
        if len(self) >= JOBS_IN_HAND:
            self.clear()
        self[job_id] = known
        return known


def _call_living(method):
    living = method()
    if living is not None:
        living()


class Recorder:
    """Records the events of this process. Threads and signal handlers may call it; a fork gets slots of its parent's file, then
    its own.

    Nothing is opened before the first record. If the files cannot be written the recorder marks itself failed
    (`failed`, and a mark that the harness reads: the flag of its last file, or an empty file ending in `.failed` where it
    has none) and drops what follows; it never raises into the app.

    Every event of a job goes through three functions, which are attributes because they are on the worker's hot path:

    - `record(kind, key, value, attempt, task, text, group, time_ns)`; `time_ns`: when it happened, where that was before now
      (an id that is known only afterwards), 0 is now.
    - `text(words)`: the number of a text, written to the side file when it is new. 0 for an empty one, or after a failure.
    - `job(job_id)`: `(key, text)`, its 128-bit key, and how the key tells the id, or the id's number where it does not.
    """

    def __init__(self, folder, role, name, library="", slots=record.SLOTS):
        self.folder, self.role, self.name, self.library = str(folder), role, name, library
        self.failed = False
        self._slots, self._first_slots = slots, min(slots, FIRST_SLOTS)
        self._numbers = _Numbers(self._number_of)
        self.text = self._numbers.__getitem__
        self._jobs = _Jobs(self.text)
        self.job = self._jobs.__getitem__
        self._loans = {}  # By thread: what it lends to the fork that it is about to make.
        self.record, self._bind = self._make_record()
        self._reset()
        if hasattr(os, "register_at_fork"):
            # Hooks live as long as the process: a weak one lets a harness make one recorder a run.
            before, after = weakref.WeakMethod(self._lend), weakref.WeakMethod(self._reset_fork)
            os.register_at_fork(
                before=functools.partial(_call_living, before), after_in_child=functools.partial(_call_living, after)
            )

    def _reset(self):
        self._next_number = itertools.count(1)
        self._numbers.clear()
        self._jobs.clear()
        self._lender = None
        self._begin(_Segment(None, 0))  # Full: the next record opens a real one.

    def _begin(self, segment):
        self._lock = threading.RLock()
        self._next_file = itertools.count()
        self._texts_fd = self._lent = None
        self._process = os.getpid()
        self._stem = "%s.%s.%d.%d" % (self.role, self.name, self._process, monotonic_ns())
        self._use(segment)

    def _use(self, segment):
        self._segment = segment
        self._bind(segment.take, self._process)

    def _lend(self):
        """Before a fork: take slots for it, unless the last one has not used its own: not every fork records anything."""
        segment = self._segment
        self._loans[threading.get_ident()] = None
        if segment.buffer is None or self._lender is not None or self.failed or not self._is_used(self._lent):
            return
        lent = list(itertools.islice(iter(segment.take, None), LENT))
        if len(lent) == LENT:
            self._raise_flag(record.FLAG_LENDS)
            self._lent = lent[0]
            self._loans[threading.get_ident()] = _Loan(segment.buffer, lent)

    def _is_used(self, lent):
        if lent is None:
            return True
        expected, place, buffer = lent
        (commit,) = _FLAGS.unpack_from(buffer, place + record.COMMIT_OFFSET)
        return commit == expected

    def _reset_fork(self):
        loan = self._loans.pop(threading.get_ident(), None)
        self._loans.clear()
        self._close_texts()
        self._first_slots = min(self._slots, FORK_SLOTS)
        if loan is None:
            self._reset()
            return
        # The texts that the parent has written by now are this process's, too; its own have other numbers.
        self._lender = self._stem, next(self._next_number)
        self._begin(loan)

    def __del__(self):
        self._close_texts()

    def _close_texts(self):
        # A harness makes one recorder a run, and one in a fork begins anew; a worker's lives as long as the worker.
        descriptor, self._texts_fd = getattr(self, "_texts_fd", None), None
        if descriptor is not None:
            os.close(descriptor)

    def _make_record(self):
        """`record`, and the function that tells it what hands out its slots: it asks no attributes."""
        pack_into, now, no_job = record.RECORD.pack_into, monotonic_ns, record.NO_JOB
        take = process = None

        def bind(taking, by):
            nonlocal take, process
            take, process = taking, by

        def write(kind, key=no_job, value=0, attempt=0, task=0, text=0, group=0, time_ns=0):
            try:
                commit, place, buffer = take()
                pack_into(buffer, place, time_ns or now(), key, value, kind, attempt, process, task, text, group, commit)
            except StopIteration:
                if self._go_on():
                    write(kind, key, value, attempt, task, text, group, time_ns)
            except (struct.error, TypeError) as error:
                fields = time_ns or now(), key, value, kind, attempt, process, task, text, group, commit
                self._put_misfit(buffer, place, fields, error)

        return write, bind

    def _put_misfit(self, buffer, place, fields, error):
        """What does not fit is a mistake of the instrumentation, for which the app must not pay. An attempt may be any number."""
        attempt = fields[4]
        if isinstance(attempt, int) and not 0 <= attempt <= ATTEMPTS:
            fields = fields[:4] + (max(0, min(attempt, ATTEMPTS)),) + fields[5:]
        try:
            record.RECORD.pack_into(buffer, place, *fields)
        except (struct.error, TypeError):
            self._fail(error)

    def _number_of(self, words):
        if not words or self.failed:
            return 0
        with self._lock:
            if self._texts_fd is None and not self._next_segment():
                return 0
            return self._numbers.get(words) or self._write_text(words)

    def _write_text(self, words):
        # The line carries its number: a signal handler that comes in between may write another text first.
        number = next(self._next_number)
        line = json.dumps([number, str(words)]).encode("ascii") + b"\n"
        try:
            if os.write(self._texts_fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._fail(error)
            return 0
        self._numbers[words] = number
        return number

    def error(self, exception):
        """The number of the text that tells an exception; 0 for None."""
        return self.text(one_line(exception))

    def close(self):
        """Say that this process ended its recording in order. Safe to call twice."""
        if self._segment.borrowed:
            self._give_back(self._segment)
        elif self._segment.buffer is not None:
            self._raise_flag(record.FLAG_CLOSED)

    def _give_back(self, segment):
        for commit, place, buffer in iter(segment.take, None):
            now = monotonic_ns()
            record.RECORD.pack_into(buffer, place, now, record.NO_JOB, 0, record.VOID, 0, self._process, 0, 0, 0, commit)

    def _go_on(self):
        """Whether there is room, in a new file where the last one is full: another thread may have opened it."""
        with self._lock:
            if self._segment.full:
                return self._next_segment()
            # This may be a signal handler amid `_use`: the new file is there, and records do not go there yet.
            self._use(self._segment)
            return True

    def _next_segment(self):
        """Whether there is a new file."""
        with self._lock:
            if self.failed:
                return False
            seen = self._segment
            try:
                opened = self._open_segment()
            except (OSError, ValueError) as error:
                self._fail(error)
                return False
            if seen.borrowed:
                self._give_back(seen)
            self._use(opened)
            return True

    def _open_segment(self):
        stem = os.path.join(self.folder, self._stem)
        if self._texts_fd is None:
            self._texts_fd = os.open(stem + ".texts", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # Taken at once: a signal handler that records in between opens a file of its own, and nothing is lost.
        number = next(self._next_file)
        slots = self._slots if number else self._first_slots
        size = record.HEADER_BYTES + slots * record.RECORD_BYTES
        # The harness looks for names that end in .rec: the file gets its name when its header is whole.
        hidden = "%s.%d.new" % (stem, number)
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, size)
            else:
                os.write(descriptor, b"\0" * size)
            buffer = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        about = json.dumps(
            {
                "role": self.role,
                "name": self.name,
                "library": self.library,
                "host": socket.gethostname(),
                "parent": os.getppid(),
                "python": "%d.%d.%d" % sys.version_info[:3],
                "slots": slots,
                **({"lender": self._lender[0], "lent_texts": self._lender[1]} if self._lender else {}),
            }
        ).encode("ascii")
        record.HEADER.pack_into(buffer, 0, record.MAGIC, record.SCHEMA, 0, self._process, number, monotonic_ns(), len(about))
        buffer[record.HEADER.size : record.HEADER.size + len(about)] = about
        os.rename(hidden, "%s.%d.rec" % (stem, number))
        return _Segment(buffer, slots)

    def _fail(self, error=None):
        if self.failed:
            return
        self.failed = True
        if self._segment.buffer is not None and not self._segment.borrowed:
            self._raise_flag(record.FLAG_FAILED)
        else:
            self._leave_mark()
        try:
            sys.stderr.write("jobharness: cannot record the events of process %d: %s\n" % (self._process, error))
        except Exception:
            pass

    def _leave_mark(self):
        """An empty file needs no block, so there is room for its name where there was none for a record file."""
        path = os.path.join(self.folder, self._stem + record.FAILED_SUFFIX)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
        except OSError:
            pass

    def _raise_flag(self, flag):
        buffer = self._segment.buffer
        (flags,) = _FLAGS.unpack_from(buffer, record.FLAGS_OFFSET)
        _FLAGS.pack_into(buffer, record.FLAGS_OFFSET, flags | flag)


__all__ = ["Recorder"]
