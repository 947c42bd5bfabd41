"""RQ's subject. Retries with an interval and delayed jobs need a worker with RQ's scheduler."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.rq"
JOBS = {
    "succeed": Job(f"{APP}.succeed"),
    "fail": Job(f"{APP}.fail"),
    "retry": Job(f"{APP}.retry", {"retry": {"max": 1}}),
    "give_up": Job(f"{APP}.give_up", {"retry": {"max": 1}}),
    "time_out": Job(f"{APP}.time_out", {"timeout": 1}),
    # RQ cuts the moment down to a whole second: with less, a job could run before the second that the kit waits for.
    "delayed": Job(f"{APP}.delayed", {"enqueue_in": 2.0}),
}
QUEUE = {
    "adapter": "rq",
    "app": f"{APP}:queue",
    "env": {"RQ_REDIS_URL": "{broker.url}"},
    "settings": {"with_scheduler": True},
}

SUBJECTS = [Subject("rq on redis", QUEUE, {"kind": "redis"}, JOBS)]
NEWEST = ("python3.11", ["rq==3.0.0"])
OLDEST = ("python3.11", ["rq==1.14.0"])
