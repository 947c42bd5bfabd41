"""Records the runs that the study of the gate draws its comparisons from: `python -m tests.study.record POOL ROUNDS`.

A round is four runs in a random order, close together in time: two of the same version, one of a version whose tasks take 10%
longer, and, in every fourth round, one that loses 1 of its 200 jobs. Each is a whole run of the harness: real processes, a
real queue, its own report. With STUDY_FIRST (a niceness, such as -15) its processes go before others of the machine. A line
of POOL is one run: its metrics, the promises that broke, and each job's run time and latency.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path

from jobharness.clock import now_ns, seconds_between
from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.history.columns import NEVER
from jobharness.metrics.latency import durations_ns
from jobharness.report.data import metrics_json
from jobharness.scenario.load import scenario_from

ROOT = Path(__file__).parents[2]
KINDS = {"same": {}, "again": {}, "slower": {"STUDY_PACE": "1.1"}, "losing": {"STUDY_LOSES": "200"}}
ENV = {"SHOP_QUEUE_URL": "{broker.url}"}
SCENARIO = {
    "title": "The study of the gate",
    "queue": {
        "adapter": "python",
        "app": "tests.study.shop:queue",
        "command": ["python", "-m", "tests.study.worker"],
        "methods": {"run": "tests.study.shop:perform"},
        "ask": {"waiting": "SELECT count(*) FROM jobs", "held": "SELECT id, state FROM jobs"},
        "env": ENV,
    },
    "broker": {"kind": "sqlite"},
    "workload": {"arrivals": {"process": "backlog", "jobs": 200}, "job": [{"task": "charge"}]},
    "contract": {"delivery": "at-least-once", "recovery": "1s"},
}


def run(kind, seed, reports):
    """One run, as a line of the pool."""
    first = {"STUDY_FIRST": os.environ["STUDY_FIRST"]} if "STUDY_FIRST" in os.environ else {}
    scenario = scenario_from(SCENARIO, "the study").with_(seed=seed, queue__env={**ENV, **first, **KINDS[kind]})
    began_ns, load = now_ns(), os.getloadavg()[0]
    result = Harness(ROOT, reports).run(scenario)
    executions, latency_ns = result.history.executions, durations_ns(result.history, "latency")
    known = latency_ns != NEVER
    ended = executions.end_kind > 0
    return {
        "kind": kind,
        "round": seed,
        "took_s": seconds_between(began_ns, now_ns()),
        "load": load,
        "first": bool(first),
        "verdict": str(result.verdict.word),
        "broken": [finding.contract for finding in result.verdict.findings if finding.word is Word.BROKEN],
        "metrics": metrics_json(result),
        "run_time_us": ((executions.end_ns[ended] - executions.begin_ns[ended]) // 1000).tolist(),
        "latency_us": (latency_ns[known] // 1000).tolist(),
    }


def main(pool, rounds):
    """Record them; a pool that is there is continued."""
    pool.parent.mkdir(parents=True, exist_ok=True)
    done = len({json.loads(line)["round"] for line in pool.read_text().splitlines()}) if pool.exists() else 0
    with pool.open("a", encoding="utf-8") as out, tempfile.TemporaryDirectory() as reports:
        for number in range(done, rounds):
            kinds = ["same", "again", "slower", *(["losing"] if number % 4 == 0 else [])]
            random.Random(f"order of round {number}").shuffle(kinds)
            lines = [run(kind, number, Path(reports)) for kind in kinds]
            out.writelines(json.dumps(line) + "\n" for line in lines)
            out.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
