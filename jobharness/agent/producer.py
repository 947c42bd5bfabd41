"""The producer: sends the planned jobs at the planned moments, open loop, through the app's own tasks or its service.

Started as `python -m jobharness_agent.producer PLAN` with the agent's environment. The plan is JSON lines, each with
`at_ns` (from the start), `task` with `args`, `kwargs` and `options`, or `shape` (chain, group, chord) with `links`, calls of that
form (of a chord the last one waits for the others), or `http` with `method`, `url`, `body` and `job_id` (the field of the answer
that holds the job's id) and, where it comes as a webhook does, `delivery` (see `deliveries`); `group`, the key that order and
limits go by; `in_flight`, where the job is due as soon as fewer are not done; `at_once`, where it has no moment to be late for.
The first line is a header with `app` and `library`.

A producer that is started again after a fault goes on where the plan was, see `Begun`.

It says PRODUCER_READY, waits for the file PLAN.go, which holds the start in ns, sends (see `dispatch`), and says PRODUCER_DONE.
"""

import gc
import itertools
import json
import mmap
import os
import sys
import time
from time import monotonic_ns

from . import boot, events, pace
from .dispatch import Dispatch, Service

LOOK_AGAIN_S = 0.0005
LATEST_SHARE = 0.02  # Of the wait: the longer it was, the less often it is looked whether it is over,
LATEST_S = 0.1  # but never less often than this,
START_LATEST_S = 0.01  # or than this, where every job of the plan would be late.
LATE_NS = 1_000_000  # A send that begins this long after its moment is recorded as late.


def main(plan_path):
    """Send a whole plan. Returns the exit status."""
    with open(plan_path, encoding="utf-8") as plan:
        header = json.loads(plan.readline())
        recorder = boot.recorder
        pace.go_first()  # Before the app is imported: threads that it starts inherit it.
        sender = boot.library_module(header["library"]).Sender(header["app"])
        dispatch = Dispatch(recorder, sender, Service(recorder))
        # What the app has imported stays: the collector need not look through it in the middle of the schedule.
        gc.collect()
        gc.freeze()
        recorder.record(events.PRODUCER_READY)
        start_ns = _await_start(plan_path + ".go")
        begun = Begun(plan_path + ".begun")
        sent = begun.count
        jobs = sum(len(json.loads(line).get("links", "1")) for line in itertools.islice(plan, sent))
        done = Done(plan_path + ".done", jobs)
        for line in plan:
            job = json.loads(line)
            due_ns = start_ns + job["at_ns"]
            if "in_flight" in job:
                due_ns = done.await_room(jobs, job["in_flight"])
            else:
                pace.sleep_until(due_ns)
            late_ns = monotonic_ns() - due_ns
            if late_ns > LATE_NS and not job.get("at_once"):
                recorder.record(events.PRODUCER_LATE, value=late_ns)
            begun.count = sent + 1
            dispatch.send(job, due_ns)
            sent += 1
            jobs += len(job.get("links", "1"))
        dispatch.finish()
        sender.close()
        recorder.record(events.PRODUCER_DONE, value=sent)
    return 0


class Begun:
    """How many jobs of the plan were begun, kept in a file by every producer of the run.

    One that was killed is followed by another, which goes on behind the job whose send was under way: that one may be there or
    not, and a second try would be a second job.
    """

    def __init__(self, path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        os.ftruncate(descriptor, 8)
        self._map = mmap.mmap(descriptor, 8)
        os.close(descriptor)

    @property
    def count(self):
        return int.from_bytes(self._map[:8], "little")

    @count.setter
    def count(self, number):
        self._map[:8] = number.to_bytes(8, "little")


class Done:
    """How many jobs are done, as the harness writes it (8 bytes, little-endian) while the plan is a closed loop."""

    def __init__(self, path, sent=0):
        self.path = path
        self.lost = sent - self._count() if sent else 0  # Sent by another producer, which is gone; perhaps never done.

    def await_room(self, sent, in_flight):
        """Wait until fewer than `in_flight` of the jobs sent are not done. Returns the moment, which is when the next is due.

        It is seen late by 2 % of the wait, and by 100 ms, at most.
        """
        began_ns = monotonic_ns()
        while sent - self.lost - self._count() >= in_flight:
            _wait_on(began_ns, LATEST_S)
        return monotonic_ns()

    def _count(self):
        # Asked first: to open what is not there costs ten times as much.
        if not os.path.exists(self.path):
            return 0
        with open(self.path, "rb") as file:
            return int.from_bytes(file.read(8), "little")


def _await_start(path):
    began_ns = monotonic_ns()
    while not os.path.exists(path):
        _wait_on(began_ns, START_LATEST_S)
    with open(path, encoding="ascii") as go:
        return int(go.read())


def _wait_on(began_ns, latest_s):
    waited_s = (monotonic_ns() - began_ns) / 1e9
    time.sleep(min(latest_s, max(LOOK_AGAIN_S, LATEST_SHARE * waited_s)))


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1]))
