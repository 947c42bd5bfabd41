"""Lets this process see another time of day than the machine's: freezegun, ticking on, with an offset that the harness moves.

The variable `JOBHARNESS_CLOCK`, set by the harness, names a file of 64 bytes that it keeps open: the offset in ns (int64,
little-endian), then the label of the fault that moved it (UTF-8, padded with zeros). Every look at the clock reads it, so a
jump is seen at once, in forks too. `JOBHARNESS_CLOCK_LIBRARY` is a folder with freezegun, for an app that has none.

`JOBHARNESS_CLOCK=libfaketime`: that library moves it, and only sleeping needs help here.

A warm process attaches before it imports anything; each fork of it attaches again, and has a clock of its own from then on.

Monotonic clocks stay the machine's, as they do on a real machine whose clock is set: timeouts, sleeps and event loops do not
notice, and the records of the history have true times.
"""

import datetime
import mmap
import os
import select
import struct
import sys
import time

from . import events

__all__ = ["LAYOUT", "SIZE", "attach"]

clock = None  # The one moved clock of this process, once attached.

LAYOUT = struct.Struct("<q56s")
SIZE = 64
UNMOVED = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


def attach(environ, recorder):
    """Move this process's clock from now on. To be called before the app, or its library, is imported.
    `recorder`: None in a warm process, which records nothing."""
    if environ["JOBHARNESS_CLOCK"] == "libfaketime":
        time.sleep = _sleep
    else:
        _attach_freezegun(environ, recorder)


def _sleep(seconds):
    """time.sleep as it was before Python 3.11. Now it waits for a moment of the monotonic clock, which libfaketime 0.9.10 takes
    for one of the clock that it moves, and calls invalid."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


def _attach_freezegun(environ, recorder):
    global clock
    if clock is not None:
        clock.follow(environ["JOBHARNESS_CLOCK"], recorder)
        return
    clock = _Clock(environ["JOBHARNESS_CLOCK"], recorder)
    sys.path.append(environ["JOBHARNESS_CLOCK_LIBRARY"])  # Behind the app's own packages.
    from freezegun import api, config

    # By default it gives real time to whatever a thread calls directly, which is where many workers run their tasks.
    config.configure(default_ignore_list=[])
    freezer = api.freeze_time(datetime.datetime(2000, 1, 1), tick=True)
    freezer.start()
    api.freeze_factories[-1] = clock.now
    clock.ready(api)
    originals = {name: getattr(api, "real_" + name) for name in UNMOVED}
    for name, original in originals.items():
        setattr(time, name, original)
    for module, name, original in freezer.undo_changes:
        if any(original is kept for kept in originals.values()):
            setattr(module, name, original)


class _Clock:
    """The moved time of day. `now` is what freezegun asks: a naive moment in UTC."""

    def __init__(self, path, recorder):
        self._epoch = datetime.datetime(1970, 1, 1)
        self._real_time_ns, self._timedelta = time.time_ns, datetime.timedelta
        self.follow(path, recorder)

    def follow(self, path, recorder):
        """From now on it is as far ahead as this file says."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._shared = mmap.mmap(descriptor, SIZE, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        self._recorder, self._label = recorder, b""

    def ready(self, api):
        """Whatever is made here must be of the real types."""
        self._epoch = api.real_datetime(1970, 1, 1)

    def now(self):
        offset_ns, label = LAYOUT.unpack(self._shared[:SIZE])
        if label != self._label:
            self._label = label
            self._seen(offset_ns, label.rstrip(b"\0").decode("utf-8", "replace"))
        return self._epoch + self._timedelta(microseconds=(self._real_time_ns() + offset_ns) // 1000)

    def _seen(self, offset_ns, label):
        """The evidence that this process has noticed; when the clock is back, there is no label, and nothing to say."""
        if label and self._recorder is not None:
            what = self._recorder.text("clock moved by %+.3f s" % (offset_ns / 1e9))
            self._recorder.record(events.FAULT_HIT, value=os.getpid(), task=what, text=self._recorder.text(label))
