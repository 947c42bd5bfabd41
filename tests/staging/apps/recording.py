"""Records jobs at an even pace until it is killed, or for as many as it is told: `recording.py COUNT PAUSE_S`; 0: for ever.

What was recorded is said on standard output afterwards, a line a job.
"""

import sys
import time
import uuid

from jobharness_agent import boot, events

count, pause_s = int(sys.argv[1]), float(sys.argv[2])
recorder = boot.recorder
done = 0
while not count or done < count:
    key, _ = recorder.job(str(uuid.UUID(int=done + 1)))
    words = recorder.text(f"text {done}")
    for kind in (events.ENQUEUE_BEGIN, events.ENQUEUE_ACKNOWLEDGED, events.JOB_RUNNING, events.JOB_FINISHED):
        recorder.record(kind, key, 0, 1, 0, words if kind == events.JOB_FINISHED else 0)
    done += 1
    print(done, flush=True)
    time.sleep(pause_s)
