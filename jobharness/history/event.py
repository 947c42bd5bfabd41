"""The closed list of event kinds, each with who writes it and what its fields mean.

The numbers are the agent's (`jobharness.agent.events`), so that both sides of a record agree.
"""

from __future__ import annotations

from enum import IntEnum

from jobharness.agent import events

__all__ = ["AT_WORK", "DESCRIPTIONS", "EXECUTION_ENDS", "HARNESS_KINDS", "Dead", "Kind"]


class Kind(IntEnum):
    """One kind of event. `name_` is what a scenario and a report call it, such as `job.running`."""

    ENQUEUE_BEGIN = events.ENQUEUE_BEGIN
    ENQUEUE_ACKNOWLEDGED = events.ENQUEUE_ACKNOWLEDGED
    ENQUEUE_REFUSED = events.ENQUEUE_REFUSED
    ENQUEUE_UNKNOWN = events.ENQUEUE_UNKNOWN
    ENQUEUE_INTENDED = events.ENQUEUE_INTENDED
    ENQUEUE_NOT_BEFORE = events.ENQUEUE_NOT_BEFORE
    ENQUEUE_PRIORITY = events.ENQUEUE_PRIORITY
    SCHEDULE_TICK = events.SCHEDULE_TICK
    ENQUEUE_LINKED = events.ENQUEUE_LINKED
    JOB_RECEIVED = events.JOB_RECEIVED
    JOB_RUNNING = events.JOB_RUNNING
    JOB_FINISHED = events.JOB_FINISHED
    JOB_FAILED = events.JOB_FAILED
    JOB_RETRIED = events.JOB_RETRIED
    JOB_DEAD = events.JOB_DEAD
    JOB_REJECTED = events.JOB_REJECTED
    JOB_TIMED_OUT = events.JOB_TIMED_OUT
    JOB_SETTLED = events.JOB_SETTLED
    JOB_HELD = events.JOB_HELD
    JOB_BURIED = events.JOB_BURIED
    JOB_LEASE_EXTENDED = events.JOB_LEASE_EXTENDED
    WORKER_STARTED = events.WORKER_STARTED
    WORKER_READY = events.WORKER_READY
    WORKER_STOPPING = events.WORKER_STOPPING
    WORKER_EXITED = events.WORKER_EXITED
    PROCESS_STARTED = events.PROCESS_STARTED
    PROCESS_EXITED = events.PROCESS_EXITED
    PRODUCER_READY = events.PRODUCER_READY
    PRODUCER_LATE = events.PRODUCER_LATE
    PRODUCER_DONE = events.PRODUCER_DONE
    FAULT_BEGIN = events.FAULT_BEGIN
    FAULT_HIT = events.FAULT_HIT
    FAULT_END = events.FAULT_END
    RUN_PHASE = events.RUN_PHASE
    RUN_CUT_SHORT = events.RUN_CUT_SHORT
    RECORDER_FAILED = events.RECORDER_FAILED
    RUN_ABORTED = events.RUN_ABORTED
    UPSTREAM_REQUEST = events.UPSTREAM_REQUEST
    UPSTREAM_ANSWERED = events.UPSTREAM_ANSWERED
    UPSTREAM_RETRY_AFTER = events.UPSTREAM_RETRY_AFTER
    EFFECT_APPLIED = events.EFFECT_APPLIED
    RESOURCE_MEMORY = events.RESOURCE_MEMORY
    RESOURCE_DESCRIPTORS = events.RESOURCE_DESCRIPTORS
    RESOURCE_CPU = events.RESOURCE_CPU
    RESOURCE_MEMORY_LIMIT = events.RESOURCE_MEMORY_LIMIT
    FAILURE_LOGGED = events.FAILURE_LOGGED
    FAILURE_COUNTED = events.FAILURE_COUNTED
    FAILURE_REPORTED = events.FAILURE_REPORTED
    LOG_WRITTEN = events.LOG_WRITTEN
    BROKER_STEP = events.BROKER_STEP
    BROKER_MESSAGE = events.BROKER_MESSAGE
    BROKER_UNFRAMED = events.BROKER_UNFRAMED
    ALERT_FIRING = events.ALERT_FIRING
    ALERT_RESOLVED = events.ALERT_RESOLVED
    ALERT_WATCHED = events.ALERT_WATCHED
    HEALTH_ANSWERED = events.HEALTH_ANSWERED
    PROBE_ANSWERED = events.PROBE_ANSWERED
    DELIVERY_TRIED = events.DELIVERY_TRIED
    DELIVERY_GIVEN_UP = events.DELIVERY_GIVEN_UP
    INVARIANT_CHECKED = events.INVARIANT_CHECKED

    @property
    def name_(self) -> str:
        """`JOB_TIMED_OUT` as `job.timed_out`."""
        noun, _, verb = self.name.partition("_")
        return f"{noun}.{verb}".lower()

    @classmethod
    def named(cls, name: str) -> Kind | None:
        """The kind called `name` (such as `job.running`), or None."""
        return next((kind for kind in cls if kind.name_ == name), None)


class Dead(IntEnum):
    """The value of `job.dead`: why the library gave the job up."""

    RAISED = events.DEAD_RAISED
    WORKER_LOST = events.DEAD_WORKER_LOST
    TIMED_OUT = events.DEAD_TIMED_OUT
    REVOKED = events.DEAD_REVOKED
    UNKNOWN_TASK = events.DEAD_UNKNOWN_TASK


EXECUTION_ENDS = (Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_TIMED_OUT)
"""What ends an execution that `job.running` began; an execution without one was cut off."""

AT_WORK = "at-work"
"""In `group` of a `fault.hit` without a job: the producer or a scheduler was struck, whose work is no job."""

_HARNESS_NOUNS = (
    "PROCESS_",
    "FAULT_",
    "RUN_",
    "RECORDER_",
    "PRODUCER_",
    "UPSTREAM_",
    "EFFECT_",
    "RESOURCE_",
    "FAILURE_",
    "LOG_",
    "ALERT_",
    "HEALTH_",
    "PROBE_",
    "DELIVERY_",
    "INVARIANT_",
)
HARNESS_KINDS = frozenset(kind for kind in Kind if kind.name.startswith(_HARNESS_NOUNS)) | {
    Kind.ENQUEUE_REFUSED,
    Kind.ENQUEUE_UNKNOWN,
    Kind.ENQUEUE_INTENDED,
    Kind.ENQUEUE_LINKED,
    Kind.JOB_HELD,
    Kind.WORKER_STARTED,
    Kind.WORKER_EXITED,
}
"""What the harness's own processes write whatever the queue library: no adapter need report it."""

DESCRIPTIONS: dict[Kind, str] = {
    Kind.ENQUEUE_BEGIN: "any enqueuing process: a send begins; value: the intended arrival, ns",
    Kind.ENQUEUE_ACKNOWLEDGED: "any enqueuing process: the library's call returned without an error",
    Kind.ENQUEUE_REFUSED: "producer: the call raised in a way that proves nothing was sent; text: the exception",
    Kind.ENQUEUE_UNKNOWN: "producer: the call raised or timed out, the job may be there or not; text: the exception",
    Kind.ENQUEUE_INTENDED: "producer: a job sent through the app's service was meant for value, ns",
    Kind.ENQUEUE_NOT_BEFORE: "any enqueuing process: sent with a countdown or eta; value: the moment it may run, ns",
    Kind.ENQUEUE_PRIORITY: "any enqueuing process: sent with a priority; value: its rank, the smaller the more urgent",
    Kind.SCHEDULE_TICK: "scheduler: an entry came due, key: its job; value: its period, ns; text: its name; group: the tick's",
    Kind.ENQUEUE_LINKED: "producer: the job is of a chain, group or chord; value: its step, from 0; text: the first one's id",
    Kind.JOB_RECEIVED: "worker: the library took the job from the broker",
    Kind.JOB_RUNNING: "worker: an execution of the task's code begins",
    Kind.JOB_FINISHED: "worker: the task's code returned",
    Kind.JOB_FAILED: "worker: the task's code raised; text: the exception",
    Kind.JOB_RETRIED: "worker: the library will run the job again; value: the delay it asked for, ns",
    Kind.JOB_DEAD: "worker: the library gave the job up; value: a Dead; text: why",
    Kind.JOB_REJECTED: "worker: the message was handed back; value: 1 when it goes back into the queue",
    Kind.JOB_TIMED_OUT: "worker: the library ended the execution for its time limit",
    Kind.JOB_SETTLED: "worker: the message was acknowledged to the broker",
    Kind.JOB_HELD: "harness, at the end of the drain: the broker still holds the job; text: where",
    Kind.JOB_BURIED: "harness, at the end of the drain: the job is where the queue keeps failed jobs; text: where",
    Kind.JOB_LEASE_EXTENDED: "worker: the library renewed its hold on the job; value: for how long, ns",
    Kind.WORKER_STARTED: "harness: a worker process was started; value: its process id; text: its name",
    Kind.WORKER_READY: "worker: this process takes jobs, as the library says; value: how many of the worker must (0: one)",
    Kind.WORKER_STOPPING: "worker: the library began an orderly stop",
    Kind.WORKER_EXITED: (
        "harness: a worker's main process is gone; value: exit code, negative for a signal; text: its name; "
        "task: its last log lines, where no fault ended it"
    ),
    Kind.PROCESS_STARTED: "harness: the producer or a scheduler was started; value: its process id; text: its name",
    Kind.PROCESS_EXITED: (
        "harness: the producer or a scheduler is gone before its time; value: exit code, negative for a signal; text: its name; "
        "task: its last log lines, where no fault ended it"
    ),
    Kind.PRODUCER_READY: "producer: the app is imported, the plan is open",
    Kind.PRODUCER_LATE: "producer: a send began more than 1 ms after its moment; value: how late, ns",
    Kind.PRODUCER_DONE: "producer: the whole plan was sent; value: how many",
    Kind.FAULT_BEGIN: "harness: a fault strikes; text: its label; value: the number of the strike",
    Kind.FAULT_HIT: "harness: a job was in flight where it struck (no job: none was); value: process id; text: its label",
    Kind.FAULT_END: "harness: what the fault did is undone, a replacement is ready; text: its label",
    Kind.RUN_PHASE: "harness: a phase of the run begins; text: its name",
    Kind.RUN_CUT_SHORT: "harness: the run was ended before it had drained; text: why",
    Kind.RECORDER_FAILED: "harness: a process could not record all its events; value: its process id; text: its name",
    Kind.RUN_ABORTED: "harness: the run is aborted, and all that is broken is healed next; text: by whom; value: when asked, ns",
    Kind.UPSTREAM_REQUEST: "upstream: a request arrived; key: the job it names; text: its idempotency key",
    Kind.UPSTREAM_ANSWERED: "upstream: it was answered; value: the HTTP status",
    Kind.UPSTREAM_RETRY_AFTER: "upstream: an answer asked the caller to wait; value: for how long, ns; text: as in the request",
    Kind.EFFECT_APPLIED: "upstream, or the app's side: a job took effect; task: on what; text: what makes it one and the same",
    Kind.RESOURCE_MEMORY: "harness, at intervals: a worker's resident memory, bytes; text: its name; group: process id",
    Kind.RESOURCE_DESCRIPTORS: "harness, at intervals: a worker's open file descriptors",
    Kind.RESOURCE_CPU: "harness, at intervals: processor time a worker used since its start, ns",
    Kind.RESOURCE_MEMORY_LIMIT: "harness, once a worker: the most memory it may have, bytes; text and group as above",
    Kind.FAILURE_LOGGED: "harness, at the end of the drain: a worker's log names the dead job at warning or above; text: where",
    Kind.FAILURE_COUNTED: "integrations: the app's own metrics counted the dead job; text: the metric",
    Kind.FAILURE_REPORTED: "integrations: an error report arrived, key: the job it names; task: its task; text: its exception",
    Kind.LOG_WRITTEN: "harness, at the end of the drain: the size of a log, bytes; text: its name",
    Kind.BROKER_STEP: "wire: a message that a fault waits for is held, with all traffic of its process "
    "(the recording process's name); task: the command; text: the fault's label; group: the message; value: the connection",
    Kind.BROKER_MESSAGE: "wire, where asked for: a message passes; value: its bytes, negative from the broker; "
    "attempt: the connection; task: the command; text: the message",
    Kind.BROKER_UNFRAMED: "wire: a connection does not speak the broker's protocol and is passed on unread; text: which, and why",
    Kind.ALERT_FIRING: "integrations: Alertmanager told that an alert rings; text: its name; group: its labels",
    Kind.ALERT_RESOLVED: "integrations: Alertmanager told that it rings no more; text and group as above",
    Kind.ALERT_WATCHED: "integrations, at the end: Prometheus scraped and evaluated to the last; value: its rules of alerts",
    Kind.PROBE_ANSWERED: "integrations: a probe of the error budget was read; value: what it said, millionths; text: its name; "
    "group: what is wrong with it, where it is out of its range",
    Kind.DELIVERY_TRIED: "producer: a webhook was sent, key: the job that the answer names; value: the HTTP status, 0: none; "
    "attempt: the try; text: the delivery; group: first, retry or again",
    Kind.DELIVERY_GIVEN_UP: "producer: the last try of a webhook was not taken; value: how many there were; text: the delivery",
    Kind.HEALTH_ANSWERED: "integrations: the health URL of the app's service was asked; value: the HTTP status, 0: no answer",
    Kind.INVARIANT_CHECKED: "harness, after the drain: an invariant of the app's data was looked at; value: what is wrong, "
    "-1: nobody could look; task: its name; text: what was found, or why not",
}
