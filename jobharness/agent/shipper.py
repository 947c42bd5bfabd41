"""Ships the records of this machine to a collector: a process of its own, that follows the files and sends what is new in them.

    worker --> record files (page cache) --shipper--> collector's copy of the files

The files come first and stay: shipping is a copy, which a break delays and none loses. The shipper outlives any worker, and ends
when none is left and everything was sent; a worker that starts finds it there or starts it anew.

Over one connection, a line of JSON at a time, `put` followed by its bytes:

    > {"hello": {"node": "web-1", "host": "h", "schema": 1, "token": ""}}
    < {"done": ["worker.w.7.1.0.rec"]}                  files of which nothing more is wanted, or {"refused": "why"}
    > {"put": "worker.w.9.1.0.rec", "at": 4096, "bytes": 640} + 640 bytes
    > {"done": "worker.w.9.1.0.rec"}                    nothing more will come for it
    > {"clock": 123}                                    by the shipper's clock; says, too, that all that was put has arrived
    < {"clock": [123, 456, 457]}                        and by the collector's, when it came and when it went
    > {"exchange": [123, 456, 457, 124]}                the same and when the answer came
    > {"end": true}  < {"ended": true}                  no process is left, and everything was sent
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time

from . import record

__all__ = ["Files", "ensure", "main"]

LIVING = "shipper.living"  # Held in common by every process that records; whoever can hold it alone knows that none is left.
RUNNING = "shipper.running"  # Held by the one shipper.
TICK_S = 0.2
EXCHANGE_S = 1.0
PATIENCE_S = 60.0
CHUNK = 1 << 20
BLOCK = 256 * record.RECORD_BYTES
_COMMIT = struct.Struct("<%dxI" % record.COMMIT_OFFSET)
_OWNER = struct.Struct("<II")  # Flags and process, in the header.

_held = []  # The lock of this process and of its forks, for as long as they live.


def ensure(environ):
    """See to it that what this process and its forks record is shipped, if the environment asks for it.

    `JOBHARNESS_SHIP`: host:port of the collector; `JOBHARNESS_NODE`: this node's name (default: the host's).
    """
    folder = environ["JOBHARNESS_HISTORY"]
    living = os.open(os.path.join(folder, LIVING), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    # First, so that a shipper that is about to end sees it or has ended.
    fcntl.flock(living, fcntl.LOCK_SH)
    _held.append(living)
    if not _is_free(os.path.join(folder, RUNNING)):
        return
    # The agent is found by its folder on the path, which a process that has it by other means may lack.
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")
    path = os.pathsep.join(filter(None, [path, environ.get("PYTHONPATH", "")]))
    environ = dict(environ, JOBHARNESS_SHIPPED=folder, JOBHARNESS_HISTORY="", PYTHONPATH=path)
    # It leaves at once, and a child of its own goes on: no app has a child that it does not know.
    subprocess.call(
        [sys.executable, "-m", "jobharness_agent.shipper", "--aside"],
        env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _is_free(path):
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Files:
    """The files of a folder, and how far each was read. `done`: names of which nothing more is wanted."""

    def __init__(self, folder, done=()):
        self.folder, self.done = folder, set(done)
        self._sent = {}  # Of each record file, the slot after the last that was sent, and those before it that were empty then.
        self._flags = {}
        self._texts = {}

    def news(self, final=False):
        """`(name, at, bytes)` of what is new, each text before a record that names it; bytes None: the file is done.

        `final`: no process is left, so what is not committed now never will be.
        """
        names = sorted(os.listdir(self.folder))
        # Records are read before the texts and sent after them: their texts were written before they were.
        records = [
            piece for name in names if name.endswith(".rec") and name not in self.done for piece in self._records(name, final)
        ]
        for name in names:
            if name.endswith(".texts"):
                yield from self._new_texts(name)
            elif name.endswith(record.FAILED_SUFFIX) and name not in self.done:
                self.done.add(name)
                yield name, 0, b""
        yield from records

    def _records(self, name, final):
        (sent, empty), pieces, known = self._sent.get(name, (0, [])), [], name in self._flags
        with open(os.path.join(self.folder, name), "rb") as file:
            header = file.read(record.HEADER_BYTES)
            flags, process = _OWNER.unpack_from(header, record.FLAGS_OFFSET)
            # Asked before its records are read, so that none comes after. A fork to which it lent slots may outlive it.
            gone = final or not (_lives(process) or flags & record.FLAG_LENDS)
            file.seek(_place(sent))
            slots = _written(file)
            size = os.fstat(file.fileno()).st_size
            filled = [(slot, raw) for slot, raw in _slots_at(file, empty) if _is_committed(slot, raw)]
        if not known:
            pieces.append((name, 0, header))  # Whoever reads the copy meanwhile finds a whole file, if a short one.
        pieces += [(name, _place(slot), raw) for slot, raw in filled]
        high, holes = _committed(slots, sent)
        if high > sent:
            pieces.append((name, _place(sent), slots[: (high - sent) * record.RECORD_BYTES]))
        if known and self._flags[name] != flags:
            pieces.append((name, 0, header))
        left = {slot for slot, _ in filled}
        empty = [slot for slot in empty if slot not in left] + holes
        self._sent[name], self._flags[name] = (high, empty), flags
        if gone or (_place(high) >= size and not empty):
            self.done.add(name)
            pieces.append((name, size, None))
        return pieces

    def _new_texts(self, name):
        at = self._texts.get(name, 0)
        with open(os.path.join(self.folder, name), "rb") as file:
            file.seek(at)
            words = file.read()
        whole = words[: words.rfind(b"\n") + 1]
        if whole:
            self._texts[name] = at + len(whole)
            yield name, at, whole


def _written(file):
    """What the file holds from here on, to its first block of which no slot was used."""
    blocks = []
    while True:
        block = file.read(BLOCK)
        if not block.strip(b"\0"):
            return b"".join(blocks)
        blocks.append(block)


def _place(slot):
    """Where a slot begins in its file."""
    return record.HEADER_BYTES + slot * record.RECORD_BYTES


def _slots_at(file, numbers):
    for slot in numbers:
        file.seek(_place(slot))
        yield slot, file.read(record.RECORD_BYTES)


def _is_committed(slot, raw):
    return _COMMIT.unpack(raw)[0] == record.COMMIT + slot


def _committed(slots, low):
    """`(high, holes)`: the slot after the last committed one, and those before it that are not; `slots`: bytes from `low` on."""
    high, holes, ahead = low, [], []
    whole = len(slots) - len(slots) % record.RECORD_BYTES
    for slot, (commit,) in enumerate(_COMMIT.iter_unpack(slots[:whole]), low):
        if commit == record.COMMIT + slot:
            high = slot + 1
            holes += ahead
            ahead = []
        else:
            ahead.append(slot)
    return high, holes


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


class Refused(Exception):
    """The collector will have none of it, and says why."""


class Connection:
    """One connection to the collector, from its greeting on. Raises OSError where it breaks, Refused."""

    def __init__(self, environ):
        host, _, port = environ["JOBHARNESS_SHIP"].rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        node = environ.get("JOBHARNESS_NODE") or socket.gethostname()
        token = environ.get("JOBHARNESS_SHIP_TOKEN", "")
        self.say({"hello": {"node": node, "host": socket.gethostname(), "schema": record.SCHEMA, "token": token}})
        self.done = self.hear()["done"]

    def say(self, words, payload=b""):
        self._socket.sendall(json.dumps(words).encode("ascii") + b"\n" + payload)

    def hear(self):
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the collector ended the connection")
        words = json.loads(line.decode("utf-8"))
        if "refused" in words:
            raise Refused(words["refused"])
        return words

    def put(self, pieces):
        """Send pieces as `Files.news` gives them; say whether there were any."""
        some = False
        for name, at, payload in pieces:
            some = True
            if payload is None:
                self.say({"done": name})
                continue
            for start in range(0, len(payload) or 1, CHUNK):
                part = payload[start : start + CHUNK]
                self.say({"put": name, "at": at + start, "bytes": len(part)}, part)
        return some

    def exchange(self):
        """Compare clocks; returns when all that was put has arrived."""
        self.say({"clock": time.monotonic_ns()})
        sent, came, went = self.hear()["clock"]
        self.say({"exchange": [sent, came, went, time.monotonic_ns()]})

    def end(self):
        """All was sent, and no process is left."""
        self.say({"end": True})
        self.hear()

    def close(self):
        self._lines.close()
        self._socket.close()


class Shipper:
    """Follows one folder until no process that records in it is left."""

    def __init__(self, folder, environ):
        self._folder, self._environ = folder, environ
        self._living = os.open(os.path.join(folder, LIVING), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def run(self):
        """Ship until the end, or until the collector was away for `PATIENCE_S` after the last process. Raises Refused."""
        until = None
        while True:
            try:
                connection = Connection(self._environ)
                try:
                    return self._follow(connection)
                finally:
                    connection.close()
            except OSError:
                pass  # It broke, or is away: begin anew, with what the collector has by then.
            alone = self._none_left()
            # Not held while the collector is away: a process that starts waits for it.
            fcntl.flock(self._living, fcntl.LOCK_UN)
            until = (until or time.monotonic() + PATIENCE_S) if alone else None
            if until is not None and time.monotonic() > until:
                return
            time.sleep(TICK_S)

    def _follow(self, connection):
        files, exchanged = Files(self._folder, connection.done), 0.0
        while True:
            some = connection.put(files.news())
            now = time.monotonic()
            if now - exchanged >= EXCHANGE_S:
                connection.exchange()
                exchanged = now
            if not some and self._none_left():
                # Held alone until this process is gone: who starts now waits for that, and starts a shipper of its own.
                connection.put(files.news(final=True))
                connection.exchange()
                connection.end()
                return
            time.sleep(TICK_S)

    def _none_left(self):
        return _lock(self._living)


def main(words):
    """Ship the folder `JOBHARNESS_SHIPPED`; at once return, and go on in a child, where `words` has "--aside"."""
    folder = os.environ["JOBHARNESS_SHIPPED"]
    if "--aside" in words:
        if os.fork():
            os._exit(0)
        os.setsid()
    running = os.open(os.path.join(folder, RUNNING), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    if not _lock(running):
        return 0
    try:
        Shipper(folder, os.environ).run()
    except Refused as why:
        with open(os.path.join(folder, "shipper.refused"), "w") as file:
            file.write("%s\n" % why)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
