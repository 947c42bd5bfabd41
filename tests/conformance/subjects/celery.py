"""Celery's subjects: one per broker. The model for the other libraries."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.celery"
JOBS = {
    "succeed": Job(f"{APP}.succeed"),
    "fail": Job(f"{APP}.fail"),
    "retry": Job(f"{APP}.retry"),
    "give_up": Job(f"{APP}.give_up"),
    "time_out": Job(f"{APP}.time_out"),
    "delayed": Job(f"{APP}.delayed", {"countdown": 1.0}),
}


def _subject(broker, url="{broker.url}", **queue):
    table = {"adapter": "celery", "app": f"{APP}:app", "concurrency": 4, "env": {"BROKER_URL": url}, **queue}
    return Subject(f"celery on {broker}", table, {"kind": broker}, JOBS)


SUBJECTS = [
    _subject("redis"),
    _subject("rabbitmq"),
    _subject("sqlite", "sqla+{broker.url}"),
]

# With the kombu of its day: a newer one imports what Celery 5.3 does not ask for.
OLDEST = ("python3.11", ("celery[redis]==5.3.0", "kombu==5.3.0", "sqlalchemy>=2,<2.1", "setuptools<81"))
