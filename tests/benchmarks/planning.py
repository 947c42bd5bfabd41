"""Plans JOBS jobs of a MIX into FILE, in a process of its own: processor time and the peak of memory as JSON."""

import json
import resource
import sys
import time
from pathlib import Path

from jobharness.scenario.workload import WorkloadSpec
from jobharness.workload.plan import planned_jobs, write_plan

PLAIN = [
    {"task": "shop.charge", "weight": 3, "kwargs": {"order_id": "{faker.uuid4}", "amount": "{faker.pyint}"}},
    {"task": "shop.receipt", "weight": 2, "kwargs": {"order_id": "{faker.uuid4}", "email": "{faker.email}"}},
    {"task": "shop.resize", "weight": 1, "kwargs": {"name": "{faker.file_name:category=image}", "pixels": "{faker.pyint}"}},
]
PEOPLE = {"id": "{faker.uuid4}", "name": "{faker.name}", "address": "{faker.address}", "email": "{faker.email}"}
MIXES = {"plain": PLAIN, "people": [{"task": "shop.welcome", "kwargs": PEOPLE}]}


def workload(mix, rate, duration_s):
    return WorkloadSpec(arrivals={"process": "constant", "rate": float(rate)}, duration=float(duration_s), job=MIXES[mix])


if __name__ == "__main__":
    jobs, mix, path = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    began = time.process_time()
    written = write_plan(planned_jobs(workload(mix, 5000, jobs / 5000), 1), path, app="a", library="b")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"jobs": written, "took_s": time.process_time() - began, "peak_mib": peak_mib}))
