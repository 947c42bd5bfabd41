"""Webhooks as their senders deliver them: signed, sent again until they are taken, sometimes twice, sometimes late.

A delivery of the plan has its `id`, `late_ns` (how long it is held up on its way), `again_ns` (when it comes once more, after
it was taken), `pauses_ns` (between its tries, so one less than there are), `timeout_s`, `sign` and `secret_env`. It is taken by
an answer of 200 to 299; after any other it is tried again. The moments are kept by threads of their own: a retry must not hold
up the plan.
"""

import hashlib
import heapq
import hmac
import itertools
import os
import threading
import time
from time import monotonic_ns

from . import events, record
from .exchange import FAILURES, Exchange, body_of

__all__ = ["Deliveries", "signature"]

SENDERS = 8
FIRST, RETRY, AGAIN = "first", "retry", "again"


def signature(how, secret, body, delivery, at_s):
    """The headers that sign a body as the named sender does. `at_s`: seconds since 1970."""
    if how == "stripe":
        mac = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": "t=%d,v1=%s" % (at_s, mac)}
    if how == "github":
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"X-Hub-Signature-256": "sha256=" + mac, "X-GitHub-Delivery": delivery}
    return {}


class _Try:
    """One try that is to come."""

    def __init__(self, request, delivery, due_ns, number=1, again=False):
        self.request, self.delivery, self.due_ns, self.number, self.again = request, delivery, due_ns, number, again


class Deliveries:
    """All deliveries of one producer. Its threads begin with the first."""

    def __init__(self, recorder):
        self.recorder = recorder
        self._waiting = []  # A heap of (moment, order of arrival, try).
        self._order = itertools.count()
        self._left = 0  # Tries that wait or are under way.
        self._changed = threading.Condition()
        self._over = False
        self._threads = []

    def send(self, request, delivery, due_ns):
        """Deliver it, beginning at `due_ns`, ns. Returns at once."""
        if not self._threads:
            self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]
            for thread in self._threads:
                thread.start()
        self._plan(due_ns + delivery["late_ns"], _Try(request, delivery, due_ns))

    def finish(self):
        """Wait until each is taken, or given up, and has come again where it was to."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _plan(self, at_ns, one):
        with self._changed:
            self._left += 1
            heapq.heappush(self._waiting, (at_ns, next(self._order), one))
            self._changed.notify()

    def _run(self):
        exchange = Exchange(None)
        while True:
            one = self._next()
            if one is None:
                exchange.drop()
                return
            try:
                self._try(exchange, one)
            finally:
                with self._changed:
                    self._left -= 1
                    self._changed.notify_all()

    def _next(self):
        with self._changed:
            while True:
                if self._over and not self._left:
                    return None
                wait_ns = self._waiting[0][0] - monotonic_ns() if self._waiting else None
                if wait_ns is not None and wait_ns <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(None if wait_ns is None else wait_ns / 1e9)

    def _try(self, exchange, one):
        delivery, name = one.delivery, one.delivery["id"]
        body = body_of(one.request)
        headers = signature(delivery["sign"], os.environ.get(delivery["secret_env"], ""), body, name, int(time.time()))
        if exchange.timeout_s != delivery["timeout_s"]:
            exchange.drop()
            exchange.timeout_s = delivery["timeout_s"]
        try:
            status, answer = exchange.send(one.request, headers)
            words = "HTTP %d" % status
        except FAILURES as error:
            status, answer, words = 0, None, "%s: %s" % (type(error).__name__, error)
        taken = 200 <= status < 300
        job_id = answer.get(one.request.get("job_id", "job_id")) if taken and isinstance(answer, dict) else None
        recorder = self.recorder
        key, job_text = recorder.job(job_id) if job_id is not None else (record.NO_JOB, 0)
        why = AGAIN if one.again else RETRY if one.number > 1 else FIRST
        recorder.record(events.DELIVERY_TRIED, key, status, one.number, 0, recorder.text(name), recorder.text(why))
        if taken:
            if job_id is not None and not one.again:
                recorder.record(events.ENQUEUE_INTENDED, key, one.due_ns, text=job_text)
            for gap_ns in delivery["again_ns"] if not one.again else ():
                self._plan(monotonic_ns() + gap_ns, _Try(one.request, delivery, one.due_ns, again=True))
        elif one.number <= len(delivery["pauses_ns"]):
            again_ns = monotonic_ns() + delivery["pauses_ns"][one.number - 1]
            self._plan(again_ns, _Try(one.request, delivery, one.due_ns, one.number + 1, one.again))
        elif not one.again:
            recorder.record(events.DELIVERY_GIVEN_UP, value=one.number, text=recorder.text(name))
            kind = events.ENQUEUE_REFUSED if 400 <= status < 500 else events.ENQUEUE_UNKNOWN
            recorder.record(kind, value=one.due_ns, text=recorder.text(words[:500]))
