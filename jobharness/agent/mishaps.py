"""Lets tasks go wrong inside the worker: what the harness orders, befalls the executions that it names.

The harness writes one file an order into the folder `JOBHARNESS_MISHAPS`; each execution looks whether the folder has
changed, which costs one call of the kernel. An order hits a limited number of executions, counted over all processes
by files that only one of them can make.

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


class OrderedToFail(Exception):
    """Raised by an execution that the harness ordered to fail."""


class Mishaps:
    """What may befall the executions of this process. Args: the folder of orders, and the recorder."""

    def __init__(self, folder, recorder):
        self._folder, self._recorder = folder, recorder
        self._seen_ns, self._orders, self._leaks = -1, [], []

    def around(self, task, function, job_id):
        """The task's function, with mishaps. `job_id()` tells the id of the job that runs now."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run(*args, **kwargs):
                order = self._order(task)
                if order is None:
                    return await function(*args, **kwargs)
                self._note(order, job_id)
                began = time.monotonic()
                if order["action"] == "hang":
                    while True:
                        await asyncio.sleep(3600)
                self._befall(order)
                answer = await function(*args, **kwargs)
                if order["action"] == "slow":
                    await asyncio.sleep(_extra_s(order, began))
                return _spoilt(order, answer)

        else:

            @functools.wraps(function)
            def run(*args, **kwargs):
                order = self._order(task)
                if order is None:
                    return function(*args, **kwargs)
                self._note(order, job_id)
                began = time.monotonic()
                if order["action"] == "hang":
                    while True:
                        time.sleep(3600)
                self._befall(order)
                answer = function(*args, **kwargs)
                if order["action"] == "slow":
                    time.sleep(_extra_s(order, began))
                return _spoilt(order, answer)

        return run

    def _order(self, task):
        """The first order that befalls this execution, or None."""
        try:
            changed_ns = os.stat(self._folder).st_mtime_ns
        except OSError:
            return None
        if changed_ns != self._seen_ns:
            self._seen_ns = changed_ns
            self._orders = self._read()
        for order in self._orders:
            if order["task"] in ("", task) and order["random"].random() < order["share"] and self._claim(order):
                return order
        return None

    def _read(self):
        orders = []
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(".json"):
                with open(os.path.join(self._folder, name), encoding="utf-8") as file:
                    order = json.load(file)
                # Each process draws from a stream of its own: the same seed in all would let them fail in step.
                order["random"] = random.Random("%s:%s" % (order["seed"], self._recorder.name))
                orders.append(order)
        return orders

    def _claim(self, order):
        """Whether this execution is among the hits; only one process can make each file."""
        if not order["hits"]:
            return True
        for hit in range(order["hits"]):
            mark = os.path.join(self._folder, "hits", "%s.%d" % (order["label"].replace("/", "_"), hit))
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                return True
            except FileExistsError:
                continue
        return False

    def _note(self, order, job_id):
        key, _ = self._recorder.job(job_id())
        what = self._recorder.text("task " + order["action"])
        self._recorder.record(events.FAULT_HIT, key, os.getpid(), task=what, text=self._recorder.text(order["label"]))

    def _befall(self, order):
        """What happens before the task's own code."""
        action = order["action"]
        if action == "raise":
            raise OrderedToFail("the harness ordered this execution to fail (%s)" % order["label"])
        if action == "block":
            time.sleep(order["delay_s"])
        elif action == "exit":
            os._exit(order["code"])
        elif action == "leak-memory":
            self._leaks.append(bytearray(os.urandom(1) * order["size_bytes"]))
        elif action == "leak-descriptors":
            self._leaks.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(order["size_bytes"]))


def _extra_s(order, began):
    return (time.monotonic() - began) * (order["factor"] - 1) + order["delay_s"]


def _spoilt(order, answer):
    """The task's answer, or what cannot be serialised, or what is too large."""
    if order["action"] == "unserialisable":
        return lambda: answer
    if order["action"] == "huge":
        return "x" * order["size_bytes"]
    return answer
