"""Faults at a SQL statement, for queues in SQLite, and for the app's own SQLite databases: there is no wire between worker and
database, so the worker's own `sqlite3` is wrapped.

The variable `JOBHARNESS_STEPS`, set by the harness, is a JSON list of `{"folder", "database", "peer"}`: a folder for each
database file, and what it is called; "" is the queue's. What is armed stands in the folder as `<file>.armed`, JSON with `label`,
`file`, `act`, `times` (null: always), `by_s` and the match: `command`, `after`, `job`, `has`, `nth`, `by`, and where they are
known from another run `alike` (a signature), `since` (a job) and `reply`. Who strikes next is settled among all processes by who
makes the file `<file>.<n>` first. While there is a file `transcribe`, every statement is recorded, and every reading of rows that
name a job.

A message is a statement (a COMMIT also of a context manager), its reply is what the call returns. `hold` records
BROKER_STEP and waits for `<file>.<n>.go`, or for its end; `lose` and `lose_reply` raise sqlite3.OperationalError, before
or after it was carried out.
"""

import fnmatch
import functools
import itertools
import json
import os
import re
import sqlite3
import time

from . import events, record
from .enqueued import Enqueued
from .spelling import in_base64

__all__ = ["attach"]

WAIT_S = 120.0
POLL_S = 0.001
COARSE_NS = 50_000_000
LOOK_AT = 64 * 1024
CHANGING = ("INSERT", "UPDATE", "DELETE", "REPLACE")
ENDING = ("COMMIT", "END", "ROLLBACK")
_VARIES = re.compile(r"[^\s,'\"\[\](){}:;=|]*\d[^\s,'\"\[\](){}:;=|]*")
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*([A-Za-z]+)", re.S)


def attach(recorder, environ):
    """Wrap `sqlite3.connect`, for connections to the databases that are watched. Called once that module has been imported."""
    from sqlite3 import dbapi2

    watched_files = [
        (
            os.path.realpath(one["database"]),
            Steps(recorder, one["folder"], environ["JOBHARNESS_HISTORY"], one["peer"], 1000 * place),
        )
        for place, one in enumerate(json.loads(environ["JOBHARNESS_STEPS"]))
    ]
    original = sqlite3.connect
    factory_at = 4  # Of the positional arguments after the database, which some callers use.

    @functools.wraps(original)
    def connect(*args, **kwargs):
        name, *args = args or (kwargs.pop("database", None),)  # Django gives it by its name.
        steps = next((steps for database, steps in watched_files if _is_file(name, database)), None)
        if steps is None:
            return original(name, *args, **kwargs)
        given = args[factory_at] if len(args) > factory_at else kwargs.get("factory") or sqlite3.Connection
        watched = _watched_connection(given, steps)
        if len(args) > factory_at:
            args[factory_at] = watched
        else:
            kwargs["factory"] = watched
        return original(name, *args, **kwargs)

    sqlite3.connect = dbapi2.connect = connect


def _is_file(name, database):
    path = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""
    if path.startswith("file:"):
        path = path[5:].split("?")[0]
    return os.path.realpath(path) == database


class Steps:
    """What is armed now, and who strikes."""

    def __init__(self, recorder, folder, records, peer="", connections=0):
        self.recorder, self.folder = recorder, folder
        self._place = "%s %s" % (recorder.name, peer) if peer else recorder.name
        self._prefix = "@%s " % peer if peer else ""
        self._enqueued = Enqueued(records)
        self._armed, self._seen_ns, self._transcribes = [], 0, False
        self._connections = itertools.count(connections + 1)

    def connected(self, connection):
        """A connection was made: it gets a number."""
        connection.jobharness_number, connection.jobharness_count = next(self._connections), 0

    def around(self, sql, values, connection, run):
        """Carry out a statement by `run()`, and what is armed at it before, after or instead."""
        armed = self._read()
        if not armed and not self._transcribes:
            return run()
        word = _FIRST_WORD.match(sql)
        command = word.group(1).upper() if word else ""
        given = _bytes_of(values)
        raw = (sql.encode("utf-8", "replace") + b" " + given)[:LOOK_AT]
        before, ends = connection.jobharness_before, command in ENDING
        connection.jobharness_before = (b"", b"") if ends else ((before[0] + b" " + raw)[-LOOK_AT:], before[1] + b" " + given)
        connection.jobharness_count += 1
        connection.jobharness_alike, connection.jobharness_command = _alike(command, sql), command
        context = before if ends else (b"", b"")
        if self._transcribes:
            jobs = self._jobs((raw, given), context)
            if command in CHANGING and not connection.in_transaction and connection.isolation_level is not None:
                # Python begins a transaction by itself.
                self._tell(connection, "BEGIN", "BEGIN", jobs, 5, "BEGIN")
                connection.jobharness_count += 1
            self._tell(connection, command, _shown(command, sql), jobs, len(raw), connection.jobharness_alike)
        for step in armed:
            named = raw + b" " + before[0] if ends else raw  # A COMMIT is named by what it commits, too.
            if step["reply"] or not _fits(step, command, named, self.recorder.name) or not self._alike_since(step, connection):
                continue
            rows = (connection.jobharness_rows, connection.jobharness_rows)
            # What is known by its signature names its job itself.
            jobs = self._jobs((raw, given), context, *([] if step["alike"] else [rows]))
            if not _wants(step, jobs):
                continue
            place = self._claim(step)
            if place is not None:
                return self._strike(step, place, command, _shown(command, sql), jobs, run)
        return run()

    def reading(self, connection):
        """Rows were read and are about to be given to the app: what is armed at them."""
        if not self._transcribes and not any(step["reply"] or step["since"] for step in self._armed):
            return
        rows = connection.jobharness_rows
        jobs = self._jobs((rows, rows))
        if not jobs:
            return
        command = connection.jobharness_command
        if self._transcribes:
            self._tell(connection, command, "reply to %s" % command, jobs, -len(rows), "reply %s" % command)
        for step in self._armed:
            if step["since"] and any(number == step["since"] for number, _, _ in jobs):
                _touch(os.path.join(self.folder, step["file"] + ".begun"))
            if not step["reply"] or not _fits(step, command, rows, self.recorder.name) or not _wants(step, jobs):
                continue
            place = self._claim(step)
            if place is not None:
                words = "reply to %s" % command
                if step["act"] == "hold":
                    self._hold(step, place, command, words, jobs)
                else:
                    self._strike(step, place, command, words, jobs, lambda: None)

    def _alike_since(self, step, connection):
        if step["alike"] and not _is_alike(step["alike"], connection.jobharness_alike):
            return False
        return not step["since"] or os.path.exists(os.path.join(self.folder, step["file"] + ".begun"))

    def _tell(self, connection, command, words, jobs, size, alike):
        text, count = self.recorder.text, connection.jobharness_count
        arrow = "<-" if size < 0 else "->"
        said = text("%s connection %d %s %s" % (self._place, connection.jobharness_number, arrow, words))
        place = text("%d %d %s%s" % (count, count, self._prefix, alike))
        for key in [key for _, key, _ in jobs] or [record.NO_JOB]:
            self.recorder.record(events.BROKER_MESSAGE, key, size, connection.jobharness_number, text(command), said, place)

    def _read(self):
        changed_ns = os.stat(self.folder).st_mtime_ns
        # A folder's time of change is coarse: what appears in the same tick as the last look would be missed.
        if changed_ns != self._seen_ns or time.time_ns() - changed_ns < COARSE_NS:
            armed, names = [], sorted(os.listdir(self.folder))
            for name in names:
                if name.endswith(".armed"):
                    with open(os.path.join(self.folder, name), encoding="utf-8") as file:
                        armed.append(json.load(file))
            self._armed, self._seen_ns, self._transcribes = armed, changed_ns, "transcribe" in names
        return self._armed

    def _jobs(self, *places):
        """`[(number, key, id)]` that the first of these names which names any; each is (all of it, its values)."""
        known = self._enqueued.jobs()
        found = ([job for job in known if _names(job, place)] for place in places)
        return next(filter(None, found), [])

    def _claim(self, step):
        """The number of this strike, or None when it is not one that counts: each fitting statement is counted by one process."""
        last = None if step["times"] is None else step["nth"] + step["times"] - 1
        place = 1
        while last is None or place <= last:
            try:
                os.close(os.open(os.path.join(self.folder, "%s.%d" % (step["file"], place)), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                place += 1
                continue
            return place if place >= step["nth"] else None
        return None

    def _strike(self, step, place, command, words, jobs, run):
        act = step["act"]
        if act == "hold":
            if step["after"]:
                answer = run()
                self._hold(step, place, command, words, jobs)
                return answer
            self._hold(step, place, command, words, jobs)
            return run()
        if act == "hold_reply":
            answer = run()
            self._hold(step, place, command, words, jobs)
            return answer
        answer = run() if act == "lose_reply" else None
        self._evidence(events.FAULT_BEGIN, step, [], words, place)
        self._evidence(events.FAULT_HIT, step, jobs, words)
        if act == "delay":
            time.sleep(step["by_s"])
        elif act == "repeat":
            run()
        self._evidence(events.FAULT_END, step, [], words)
        if act in ("lose", "lose_reply"):
            raise sqlite3.OperationalError("disk I/O error")
        return run()

    def _hold(self, step, place, command, words, jobs):
        self._evidence(events.BROKER_STEP, step, jobs, words, task=command)
        go = os.path.join(self.folder, "%s.%d.go" % (step["file"], place))
        limit = time.monotonic() + WAIT_S
        while not os.path.exists(go) and time.monotonic() < limit:
            time.sleep(POLL_S)

    def _evidence(self, kind, step, jobs, words, value=0, task=""):
        text = self.recorder.text
        for key in [key for _, key, _ in jobs] or [record.NO_JOB]:
            group = text("%s -> %s" % (self.recorder.name, words))
            self.recorder.record(kind, key, value, task=text(task), text=text(step["label"]), group=group)


def _fits(step, command, raw, name):
    if step["command"] and not fnmatch.fnmatchcase(command.lower(), step["command"]):
        return False
    if step["has"] and step["has"].encode("utf-8") not in raw:
        return False
    return step["by"] in ("", name) or (step["by"] == "workers" and name.startswith("worker-"))


def _wants(step, jobs):
    return step["job"] is None or any(step["job"] in ("any", number, name) for number, _, name in jobs)


def _shown(command, sql):
    return "%s: %s" % (command, sql[:120])


def _alike(command, sql):
    """The signature of a statement, as `jobharness.wire.signature` has it for messages."""
    return ("%s %s" % (command, " ".join(_VARIES.sub("#", sql).split())))[:160]


def _is_alike(learnt, here):
    """Whether signatures are the same; what was masked in the one that was learnt may be anything."""
    return learnt == here or ("***" in learnt and re.fullmatch(".*".join(map(re.escape, learnt.split("***"))), here) is not None)


def _touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))


def _names(job, place):
    raw, values = place
    name = job[2].encode("utf-8")
    if len(name) < 6:
        # A number that stands in the SQL itself is hardly ever an id.
        return re.search(rb"(?<![\w.-])" + re.escape(name) + rb"(?![\w.-])", values) is not None
    if name in raw or name.replace(b"-", b"") in raw:
        return True
    return any(spelt in raw for spelt in in_base64(name.replace(b"-", b"")))


def _bytes_of(values):
    """Everything in parameters or rows that can name a job, as bytes."""
    if isinstance(values, (bytes, bytearray, memoryview)):
        return bytes(values)
    if isinstance(values, dict):
        values = values.values()
    elif isinstance(values, (str, int, float)) or values is None:
        return str(values).encode("utf-8", "replace")
    try:
        return b" ".join(_bytes_of(value) for value in values)
    except TypeError:
        return b""


@functools.lru_cache(maxsize=None)
def _watched_connection(given, steps):
    """A subclass of the caller's own connection class. Cursors it makes are watched, too."""

    class Watched(given):
        jobharness_rows = b""  # Read last.
        jobharness_before = (b"", b"")  # Statements since the last COMMIT, and their values.
        jobharness_number, jobharness_count = 0, 0
        jobharness_alike, jobharness_command = "", ""  # Of the last statement.

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            steps.connected(self)

        def cursor(self, factory=None):
            return super().cursor(_watched_cursor(factory or sqlite3.Cursor, steps))

        def execute(self, *args):
            return self.cursor().execute(*args)

        def executemany(self, *args):
            return self.cursor().executemany(*args)

        def executescript(self, *args):
            return self.cursor().executescript(*args)

        def commit(self):
            if not self.in_transaction:
                return super().commit()
            return steps.around("COMMIT", (), self, super().commit)

        def rollback(self):
            if not self.in_transaction:
                return super().rollback()
            return steps.around("ROLLBACK", (), self, super().rollback)

        def __exit__(self, kind, error, traceback):
            if kind is None:
                try:
                    self.commit()
                except BaseException:
                    self.rollback()
                    raise
            else:
                self.rollback()
            return False

    Watched.__name__, Watched.__qualname__ = given.__name__, given.__qualname__
    return Watched


@functools.lru_cache(maxsize=None)
def _watched_cursor(given, steps):
    class Watched(given):
        def _around(self, sql, values, run):
            answer = steps.around(sql, values, self.connection, run)
            return self if answer is None else answer

        def execute(self, sql, *parameters):
            run = functools.partial(super().execute, sql, *parameters)
            return self._around(sql, parameters[0] if parameters else (), run)

        def executemany(self, sql, parameters):
            parameters = list(parameters)
            return self._around(sql, parameters[:100], functools.partial(super().executemany, sql, parameters))

        def executescript(self, script):
            return self._around(script, (), functools.partial(super().executescript, script))

        def fetchone(self):
            return self._read(super().fetchone())

        def fetchmany(self, *args, **kwargs):
            return self._read(super().fetchmany(*args, **kwargs))

        def fetchall(self):
            return self._read(super().fetchall())

        def __next__(self):
            return self._read(super().__next__())

        def _read(self, rows):
            if rows:
                self.connection.jobharness_rows = _bytes_of(rows)[:LOOK_AT]
                steps.reading(self.connection)
            return rows

    Watched.__name__, Watched.__qualname__ = given.__name__, given.__qualname__
    return Watched
