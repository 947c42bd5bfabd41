"""Reading a history in a test: its events, the messages that a fault struck, what became of a job."""

from jobharness.history.event import Kind

__all__ = ["exits", "kinds_of", "messages", "nth_job", "open_ns", "rows"]


def rows(history, *kinds):
    """The events of some kinds, as dicts, in order."""
    return list(history.of(*kinds).collect().iter_rows(named=True))


def messages(history, *kinds):
    """What is said of the messages that were struck."""
    return [words for row in rows(history, *kinds) if (words := history.text(row["group"]))]


def nth_job(history, number):
    """The job that was enqueued as the n-th."""
    return rows(history, Kind.ENQUEUE_BEGIN)[number - 1]["job"]


def kinds_of(history, job):
    """The kinds of event in the life of a job, in order."""
    return [moment.kind for moment in history.life(job)]


def open_ns(history):
    """`(begin, end)` of the first strike, ns."""
    return tuple(rows(history, kind)[0]["time_ns"] for kind in (Kind.FAULT_BEGIN, Kind.FAULT_END))


def exits(history):
    """`[(worker, code, last log lines)]` of every exit of a worker, in order."""
    found = rows(history, Kind.WORKER_EXITED)
    return [(history.text(row["text"]), row["value"], history.text(row["task"])) for row in found]
