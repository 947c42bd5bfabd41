"""arq's subject."""

from jobharness.conformance import Job, Subject

JOBS = {
    "succeed": Job("succeed"),
    "fail": Job("fail"),
    "retry": Job("retry"),
    "give_up": Job("give_up"),
    "time_out": Job("time_out"),
    "delayed": Job("delayed", {"defer_by": 1.0}),
}
QUEUE = {"adapter": "arq", "app": "scenarios.apps.conformance.arq.WorkerSettings", "env": {"BROKER_URL": "{broker.url}"}}

SUBJECTS = [Subject("arq on redis", QUEUE, {"kind": "redis"}, JOBS)]
NEWEST = ("python3.11", ["arq==0.28.0"])
OLDEST = ("python3.11", ["arq==0.25.0", "redis<5"])
