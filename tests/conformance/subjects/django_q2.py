"""django-q2's subjects. A failed job is delivered again when its lock runs out, and that lock is the one on a job which still waits
inside a cluster: it is 25 s here, for busy machines, so a retry comes late.
"""

from jobharness.conformance import Job, Subject

TASKS = "outcomes.tasks"
JOBS = {
    "succeed": Job(f"{TASKS}.succeed"),
    "fail": Job(f"{TASKS}.fail", {"ack_failure": True}),
    "retry": Job(f"{TASKS}.retry"),
    "give_up": Job(f"{TASKS}.give_up"),
    "time_out": Job(f"{TASKS}.time_out", {"timeout": 1, "ack_failure": True}),
}
LINGER = Job(f"{TASKS}.linger")
QUEUE = {
    "adapter": "django-q2",
    "app": "outcomes.settings",
    "folder": "scenarios/apps/conformance/django_project",
    "env": {"BROKER_URL": "{broker.url}"},
}
MISSING = {"delayed": "django-q2 delays a job by a schedule, which enqueues it when it is due"}

SUBJECTS = [
    Subject(f"django-q2 on {broker}", QUEUE, {"kind": broker}, JOBS, MISSING, retries_within_s=27.0)
    for broker in ("sqlite", "postgres")
]

NEWEST = ("python3.11", ("django-q2==1.11.1", "psycopg[binary]"))
# 1.6.0 asks for a Django older than 5 and for one that is not, on Python 3.10 and newer.
OLDEST = ("python3.11", ("django-q2==1.6.1", "django>=4.2,<5", "psycopg[binary]"))
