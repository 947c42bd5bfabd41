"""What a home-grown queue's verbs are recorded as."""

import uuid
from time import monotonic_ns

from jobharness.agent.libraries.python import wrapped
from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Kind


def test_a_retry_is_dated_when_it_was_asked_for_and_not_when_the_queue_had_it(tmp_path):
    """Another worker may have the job, and be done with it, before the call returns."""
    recorder, put_back_ns = Recorder(tmp_path, "worker", "worker-1"), []

    def retry(job, delay):
        put_back_ns.append(monotonic_ns())

    wrapped(recorder, "retry", retry, False)({"id": str(uuid.UUID(int=1)), "task": "charge"}, delay=0.3)
    recorder.close()
    (row,) = log.gather(tmp_path, {}).of(Kind.JOB_RETRIED).collect().iter_rows(named=True)
    assert row["time_ns"] <= put_back_ns[0]
    assert row["value"] == 300_000_000
