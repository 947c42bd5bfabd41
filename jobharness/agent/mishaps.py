"""Lets tasks go wrong inside the worker: what the harness orders, befalls the executions that it names.

The harness writes one file an order into the folder `JOBHARNESS_MISHAPS`, and removes it when the order is over: what hangs then
goes on. Each execution looks whether the folder has changed, which costs one call of the kernel. An order hits a limited number
of executions, and draws its share of them, counted over all processes by files to which each execution appends one byte.

An order is JSON: `label`, `action` (one of `ACTIONS`), `task` ("" for all), `hits` (how many executions; 0 without
limit), `share` and
`seed`, `delay_s`, `factor`, `size_bytes`, `code`.
"""

import asyncio
import functools
import inspect
import json
import os
import random
import time

from . import events

__all__ = ["ACTIONS", "Mishaps"]

ACTIONS = ("raise", "hang", "block", "slow", "exit", "leak-memory", "leak-descriptors", "unserialisable", "huge")
SETTLES_IN_S = 0.05
LOOK_EVERY_S = 0.05  # How often an execution that is held looks whether its order still stands.


class OrderedToFail(Exception):
    """Raised by an execution that the harness ordered to fail."""


class Mishaps:
    """What may befall the executions of this process. Args: the folder of orders, and the recorder."""

    def __init__(self, folder, recorder):
        self._folder, self._recorder = folder, recorder
        self._seen_ns, self._noticed, self._settled = -1, 0.0, True
        self._orders, self._leaks = [], []

    def around(self, function, about):
        """The task's function, with mishaps; a coroutine stays one. `about(...)` is called with the function's own arguments,
        and tells the task's name and the id of the job that runs now."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run(*args, **kwargs):
                order = self._order(about, args, kwargs)
                if order is None:
                    return await function(*args, **kwargs)
                began = time.monotonic()
                if order["action"] == "hang":
                    await self._wait(order, order["delay_s"] or None)
                self._befall(order)
                answer = await function(*args, **kwargs)
                await self._wait(order, _extra_s(order, began))
                return _spoilt(order, answer)

        else:

            @functools.wraps(function)
            def run(*args, **kwargs):
                order = self._order(about, args, kwargs)
                if order is None:
                    return function(*args, **kwargs)
                began = time.monotonic()
                if order["action"] == "hang":
                    self._block(order, order["delay_s"] or None)
                self._befall(order)
                answer = function(*args, **kwargs)
                self._block(order, _extra_s(order, began))
                return _spoilt(order, answer)

        return run

    def _order(self, about, args, kwargs):
        """The first order that befalls this execution, or None."""
        try:
            changed_ns = os.stat(self._folder).st_mtime_ns
        except OSError:
            return None
        now = time.monotonic()
        if changed_ns != self._seen_ns:
            self._seen_ns, self._noticed, self._settled = changed_ns, now, False
        if not self._settled:
            # A second change may have the same time as the first: file systems tell them apart by some milliseconds only.
            self._settled = now - self._noticed > SETTLES_IN_S
            self._orders = self._read()
        if not self._orders:
            return None
        task, job_id = about(*args, **kwargs)
        for order in self._orders:
            if order["task"] in ("", task) and self._drawn(order) and self._claim(order):
                self._note(order, job_id)
                return order
        return None

    def _read(self):
        orders = []
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(".json"):
                path = os.path.join(self._folder, name)
                with open(path, encoding="utf-8") as file:
                    orders.append(dict(json.load(file), path=path, spent=False))
        return orders

    def _stands(self, order):
        """Whether the order was not taken back, nor followed by another of its name."""
        try:
            with open(order["path"], encoding="utf-8") as file:
                return json.load(file)["seed"] == order["seed"]
        except OSError:
            return False

    def _drawn(self, order):
        """Whether this execution is in the share. By its number among all, so that the same seed draws the same."""
        if order["share"] >= 1:
            return True
        return random.Random("%s:%d" % (order["seed"], self._number(order, "drawn"))).random() < order["share"]

    def _claim(self, order):
        """Whether this execution is among the hits."""
        if not order["hits"]:
            return True
        if not order["spent"]:
            order["spent"] = self._number(order, "hits") > order["hits"]
        return not order["spent"]

    def _number(self, order, what):
        """Which execution this is, counted from 1 over all processes: where its byte stands in the file."""
        name = "%s.%s.%s" % (order["label"].replace("/", "_"), order["seed"], what)
        descriptor = os.open(os.path.join(self._folder, "hits", name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, b".")
            return os.lseek(descriptor, 0, os.SEEK_CUR)
        finally:
            os.close(descriptor)

    def _note(self, order, job_id):
        key, _ = self._recorder.job(job_id)
        what = self._recorder.text("task " + order["action"])
        self._recorder.record(events.FAULT_HIT, key, os.getpid(), task=what, text=self._recorder.text(order["label"]))

    def _befall(self, order):
        """What happens before the task's own code."""
        action = order["action"]
        if action == "raise":
            raise OrderedToFail("the harness ordered this execution to fail (%s)" % order["label"])
        if action == "block":
            self._block(order, order["delay_s"] or None)
        elif action == "exit":
            os._exit(order["code"])
        elif action == "leak-memory":
            self._leaks.append(bytearray(os.urandom(1) * order["size_bytes"]))
        elif action == "leak-descriptors":
            self._leaks.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(order["size_bytes"]))

    def _block(self, order, seconds):
        """Hold this thread, and with it a loop that runs in it, for so long (None: for ever) or until the order is over."""
        for pause_s in self._pauses(order, seconds):
            time.sleep(pause_s)

    async def _wait(self, order, seconds):
        """The same for this coroutine alone: the loop goes on."""
        for pause_s in self._pauses(order, seconds):
            await asyncio.sleep(pause_s)

    def _pauses(self, order, seconds):
        until = time.monotonic() + (seconds if seconds is not None else float("inf"))
        while time.monotonic() < until and self._stands(order):
            yield max(0, min(LOOK_EVERY_S, until - time.monotonic()))


def _extra_s(order, began):
    if order["action"] != "slow":
        return 0.0
    return (time.monotonic() - began) * (order["factor"] - 1) + order["delay_s"]


def _spoilt(order, answer):
    """The task's answer, or what cannot be serialised, or what is too large."""
    if order["action"] == "unserialisable":
        return lambda: answer
    if order["action"] == "huge":
        return "x" * order["size_bytes"]
    return answer
