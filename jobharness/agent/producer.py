"""The producer: sends the planned jobs at the planned moments, open loop, through the app's own tasks or its service.

Started as `python -m jobharness_agent.producer PLAN` with the agent's environment. The plan is JSON lines, each with
`at_ns` (from the start), `task` with `args`, `kwargs` and `options`, or `shape` (chain, group, chord) with `links`, calls of that
form (of a chord the last one waits for the others), or `http` with `method`, `url`, `body` and `job_id` (the field of the answer
that holds the job's id); `group`, the key that order and limits go by; `in_flight`, where the job is due as soon as fewer are not
done; `at_once`, where it has no moment to be late for. The first line is a header with `app` and `library`.

A producer that is started again after a fault goes on where the plan was, see `Begun`.

It says PRODUCER_READY, waits for the file PLAN.go, which holds the start in ns, sends, and says PRODUCER_DONE. An enqueue that
raises is *refused* only where the exception proves that nothing was sent; otherwise nobody knows.
"""

import gc
import http.client
import itertools
import json
import mmap
import os
import sys
import time
import urllib.parse
from time import monotonic_ns

from . import boot, events, intent, pace, record

LATE_NS = 1_000_000  # A send that begins this long after its moment is recorded as late.


def main(plan_path):
    """Send a whole plan. Returns the exit status."""
    with open(plan_path, encoding="utf-8") as plan:
        header = json.loads(plan.readline())
        recorder = boot.recorder
        pace.go_first()  # Before the app is imported: threads that it starts inherit it.
        sender = boot.library_module(header["library"]).Sender(header["app"])
        service = Service(recorder)
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
            intent.intend(due_ns, job.get("group", ""))
            if "http" in job:
                service.send(job["http"], due_ns)
            elif "shape" in job:
                _send_linked(recorder, sender, job)
            else:
                _send(recorder, sender, job)
            sent += 1
            jobs += len(job.get("links", "1"))
        sender.close()
        recorder.record(events.PRODUCER_DONE, value=sent)
    return 0


def _send(recorder, sender, job):
    try:
        sender.send(job["task"], job.get("args", []), job.get("kwargs", {}), job.get("options", {}))
    except Exception as error:
        _not_acknowledged(recorder, job["task"], error, isinstance(error, sender.not_sent))


def _send_linked(recorder, sender, job):
    """A chain, group or chord: that each of its jobs is to come is on record before any of them is sent."""
    shape, links = job["shape"], job["links"]
    try:
        ids, send = sender.compose(shape, links)
    except Exception as error:
        _not_acknowledged(recorder, links[0]["task"], error, True)
        return
    name = recorder.text(str(ids[0]))
    for number, link in enumerate(links):
        step = number if shape == "chain" else int(shape == "chord" and number == len(links) - 1)
        recorder.record(events.ENQUEUE_LINKED, recorder.job(ids[number])[0], step, 0, recorder.text(link["task"]), name)
    try:
        send()
    except Exception as error:
        _not_acknowledged(recorder, links[0]["task"], error, isinstance(error, sender.not_sent))


def _not_acknowledged(recorder, task, error, refused):
    kind = events.ENQUEUE_REFUSED if refused else events.ENQUEUE_UNKNOWN
    words = "%s: %s" % (type(error).__name__, error)
    key = intent.key() or record.NO_JOB
    recorder.record(kind, key, task=recorder.text(task), text=recorder.text(words[:500]))


class Service:
    """Sends jobs through the app's own HTTP service, over one kept connection."""

    def __init__(self, recorder, timeout_s=30.0):
        self.recorder, self.timeout_s = recorder, timeout_s
        self.connection, self.place = None, None

    def send(self, request, due_ns):
        """One request. The service's own process records the enqueue; here the intended moment is tied to its job."""
        try:
            status, answer = self._exchange(request)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            words = "%s: %s" % (type(error).__name__, error)
            self.recorder.record(events.ENQUEUE_UNKNOWN, value=due_ns, text=self.recorder.text(words[:500]))
            return
        job_id = answer.get(request.get("job_id", "job_id")) if isinstance(answer, dict) else None
        if 200 <= status < 300 and job_id is not None:
            key, text = self.recorder.job(job_id)
            self.recorder.record(events.ENQUEUE_INTENDED, key, due_ns, text=text)
        else:
            kind = events.ENQUEUE_REFUSED if 400 <= status < 500 else events.ENQUEUE_UNKNOWN
            self.recorder.record(kind, value=due_ns, text=self.recorder.text("HTTP %d" % status))

    def _exchange(self, request):
        url = urllib.parse.urlsplit(request["url"])
        if self.place != url.netloc:
            self._drop()
            self.connection = http.client.HTTPConnection(url.netloc, timeout=self.timeout_s)
            self.place = url.netloc
        path = url.path + ("?" + url.query if url.query else "")
        body = json.dumps(request.get("body", {}))
        self.connection.request(request.get("method", "POST"), path, body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        raw = response.read()
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, None

    def _drop(self):
        if self.connection is not None:
            self.connection.close()
        self.connection, self.place = None, None


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
        """Wait until fewer than `in_flight` of the jobs sent are not done. Returns the moment, which is when the next is due."""
        while sent - self.lost - self._count() >= in_flight:
            time.sleep(0.0005)
        return monotonic_ns()

    def _count(self):
        try:
            with open(self.path, "rb") as file:
                return int.from_bytes(file.read(8), "little")
        except OSError:
            return 0


def _await_start(path):
    while True:
        try:
            with open(path, encoding="ascii") as go:
                return int(go.read())
        except (FileNotFoundError, ValueError):
            time.sleep(0.002)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1]))
