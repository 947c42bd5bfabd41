"""Observes completions from outside, where no agent may run: a node of its own, that tells what the result backend says.

What it tells came about at some moment since it last looked, so its clock is known no better than that; what it cannot see (when
a job began, which worker had it) it says it cannot, and contracts that need it are *unknown*.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from jobharness.agent.recorder import Recorder
from jobharness.clock import now_ns
from jobharness.history.event import Kind
from jobharness.queues.queue import Completion, Held
from jobharness.staging.nodes import NodeFile, write_node
from jobharness.staging.offsets import Exchange

__all__ = ["UNSEEN", "Outside"]

NAME = "outside"
LOOK_EVERY_S = 0.2
UNSEEN = (
    Kind.JOB_RECEIVED,
    Kind.JOB_RUNNING,
    Kind.JOB_FAILED,
    Kind.JOB_RETRIED,
    Kind.JOB_REJECTED,
    Kind.JOB_TIMED_OUT,
    Kind.JOB_SETTLED,
    Kind.JOB_LEASE_EXTENDED,
    Kind.WORKER_READY,
    Kind.WORKER_STOPPING,
)
"""What workers alone can tell."""


class Results(Protocol):
    """Where completions are read from."""

    def new(self) -> list[Completion]:
        """Those that were not told before."""
        ...


class Outside:
    """Observes while it is entered, in a thread, into the node folder `folder/outside`. On leaving it looks a last time, and asks
    what the broker still holds (`held`).

    Raises: on leaving, what the results or the broker raised; the node has then vanished, as far as the history says.
    """

    def __init__(self, folder: Path, results: Results, held: Callable[[], Iterable[Held]] | None = None) -> None:
        self._folder = folder / NAME
        self._results, self._held = results, held
        self._left = threading.Event()
        self._error: Exception | None = None
        self._began_ns, self._looked_ns, self._longest_ns = 0, 0, 0
        self._node = NodeFile(NAME, socket.gethostname(), unseen=tuple(kind.name_ for kind in UNSEEN))

    def __enter__(self) -> Outside:
        write_node(self._folder, self._node)
        self._recorder = Recorder(self._folder, "observer", NAME)
        self._began_ns = self._looked_ns = now_ns()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        if self._error is None:
            self._note_held()
        self._recorder.close()
        write_node(self._folder, self._told())
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        try:
            while True:
                last = self._left.wait(LOOK_EVERY_S)
                self._look()
                if last:
                    return
        except Exception as error:
            self._error = error

    def _look(self) -> None:
        completions, now = self._results.new(), now_ns()
        # What is found now was not there when the last look ended, or came while it went on.
        self._longest_ns, self._looked_ns = max(self._longest_ns, now - self._looked_ns), now
        for one in completions:
            key, words = self._recorder.job(one.job_id)
            if one.dead is None:
                self._recorder.record(Kind.JOB_FINISHED, key, text=words, time_ns=now)
            else:
                self._recorder.record(Kind.JOB_DEAD, key, int(one.dead), text=self._recorder.text(one.text), time_ns=now)

    def _note_held(self) -> None:
        try:
            for held in self._held() if self._held is not None else ():
                key, _ = self._recorder.job(held.job_id)
                self._recorder.record(Kind.JOB_HELD, key, text=self._recorder.text(held.where))
        except Exception as error:
            self._error = error

    def _told(self) -> NodeFile:
        """What is known of its clock: it is this machine's, and what it says is late by up to two looks: a result that comes
        while one goes on may be found by the next."""
        late_ns = 2 * self._longest_ns
        exchanges = tuple(Exchange(at, at, at, at + late_ns) for at in (self._began_ns, self._looked_ns))
        node = NodeFile(self._node.name, self._node.host, exchanges=exchanges, unseen=self._node.unseen)
        return node if self._error is not None else node.as_ended()
