"""Sends one planned job, whatever its form: by its task, as a chain, group or chord, or by a request to the app's service.

An enqueue that raises is *refused* only where the exception proves that nothing was sent; otherwise nobody knows.
"""

import http.client

from . import events, intent, record
from .deliveries import Deliveries
from .exchange import FAILURES, Exchange

__all__ = ["Dispatch", "Service"]


class Dispatch:
    """Args: `sender` of the library (see `libraries/__init__`); `service` sends what enters by HTTP."""

    def __init__(self, recorder, sender, service):
        self.recorder, self.sender, self.service = recorder, sender, service
        self.deliveries = Deliveries(recorder)

    def finish(self):
        """Wait until what goes on beside the plan, the tries of webhooks, has come to its end."""
        self.deliveries.finish()

    def send(self, job, due_ns):
        """Send it; it was due at `due_ns`. Returns None, or the exception for which it is not known to be enqueued. A webhook is
        delivered beside the plan, and nobody knows yet what comes of it."""
        intent.intend(due_ns, job.get("group", ""))
        if "delivery" in job:
            self.deliveries.send(job["http"], job["delivery"], due_ns)
            return None
        if "http" in job:
            return self.service.send(job["http"], due_ns)
        if "shape" in job:
            return self._send_linked(job)
        try:
            self.sender.send(job["task"], job.get("args", []), job.get("kwargs", {}), job.get("options", {}))
        except Exception as error:
            return self._not_acknowledged(job["task"], error, isinstance(error, self.sender.not_sent))
        return None

    def _send_linked(self, job):
        """A chain, group or chord: that each of its jobs is to come is on record before any of them is sent."""
        shape, links, recorder = job["shape"], job["links"], self.recorder
        try:
            ids, send = self.sender.compose(shape, links)
        except Exception as error:
            return self._not_acknowledged(links[0]["task"], error, True)
        name = recorder.text(str(ids[0]))
        for number, link in enumerate(links):
            step = number if shape == "chain" else int(shape == "chord" and number == len(links) - 1)
            recorder.record(events.ENQUEUE_LINKED, recorder.job(ids[number])[0], step, 0, recorder.text(link["task"]), name)
        try:
            send()
        except Exception as error:
            return self._not_acknowledged(links[0]["task"], error, isinstance(error, self.sender.not_sent))
        return None

    def _not_acknowledged(self, task, error, refused):
        recorder, kind = self.recorder, events.ENQUEUE_REFUSED if refused else events.ENQUEUE_UNKNOWN
        words = "%s: %s" % (type(error).__name__, error)
        key = intent.key() or record.NO_JOB
        recorder.record(kind, key, task=recorder.text(task), text=recorder.text(words[:500]))
        return error


class Service:
    """Sends jobs through the app's own HTTP service, over one kept connection."""

    def __init__(self, recorder, timeout_s=30.0):
        self.recorder, self.exchange = recorder, Exchange(timeout_s)

    def send(self, request, due_ns):
        """One request. The service's own process records the enqueue; here the intended moment is tied to its job.

        Returns None, or why there is no job that is known to be enqueued, as an exception.
        """
        try:
            status, answer = self.exchange.send(request)
        except FAILURES as error:
            words = "%s: %s" % (type(error).__name__, error)
            self.recorder.record(events.ENQUEUE_UNKNOWN, value=due_ns, text=self.recorder.text(words[:500]))
            return error
        job_id = answer.get(request.get("job_id", "job_id")) if isinstance(answer, dict) else None
        if 200 <= status < 300 and job_id is not None:
            key, text = self.recorder.job(job_id)
            self.recorder.record(events.ENQUEUE_INTENDED, key, due_ns, text=text)
            return None
        kind = events.ENQUEUE_REFUSED if 400 <= status < 500 else events.ENQUEUE_UNKNOWN
        self.recorder.record(kind, value=due_ns, text=self.recorder.text("HTTP %d" % status))
        return http.client.HTTPException("HTTP %d" % status)
