"""Finished runs that never ran: a history written by hand, judged by the real contracts and published as any other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobharness.contracts.at_least_once import AtLeastOnce
from jobharness.contracts.at_most_once import AtMostOnce
from jobharness.contracts.contract import Contract, judge
from jobharness.contracts.faults_hit import FaultsHit
from jobharness.contracts.recovery import Recovery
from jobharness.history import log
from jobharness.history.frame import History
from jobharness.metrics.gate import judge_gate
from jobharness.metrics.measure import measure
from jobharness.report.publish import publish
from jobharness.runner.result import Result
from jobharness.scenario.model import Scenario
from tests.histories import history

__all__ = ["ATTACK", "LOST", "SAFE", "published", "scenario"]

ATTACK = "<script>window.pwned = true</script><img src=x onerror='window.pwned = true'>"

LOST = f"""
    0.000  harness     worker.started        -           text=worker-1
    0.800  worker-1/7  worker.ready          -
    0.900  harness     run.phase             -           text=workload
    1.000  producer    enqueue.begin         job-{{a}}   value=1s task=shop.charge
    1.010  producer    enqueue.acknowledged  job-{{a}}
    1.100  worker-1/7  job.received          job-{{a}}   attempt=1 task=shop.charge
    1.200  worker-1/7  job.running           job-{{a}}   attempt=1 task=shop.charge
    1.300  harness     fault.begin           -           text=kill#1 value=1
    1.301  harness     fault.hit             job-{{a}}   text=kill#1 value=7
    1.310  harness     worker.exited         -           text=worker-1 value=-9
    1.500  harness     worker.started        -           text=worker-1
    2.000  producer    enqueue.begin         job-{{b}}   value=2s task=shop.receipt
    2.010  producer    enqueue.acknowledged  job-{{b}}
    2.400  worker-1/8  worker.ready          -
    2.401  harness     fault.end             -           text=kill#1
    2.500  worker-1/8  job.running           job-{{b}}   attempt=1 task=shop.receipt
    2.600  worker-1/8  job.failed            job-{{b}}   attempt=1 text="ValueError: {ATTACK.replace("'", "")}"
    2.700  worker-1/8  job.running           job-{{b}}   attempt=2 task=shop.receipt
    2.800  worker-1/8  job.finished          job-{{b}}   attempt=2
    3.000  producer    enqueue.begin         job-{{c}}   value=3s task=shop.resize
    3.010  producer    enqueue.acknowledged  job-{{c}}
    3.100  worker-1/8  job.running           job-{{c}}   attempt=1 task=shop.resize
    3.200  worker-1/8  job.finished          job-{{c}}   attempt=1
    3.300  producer    producer.done         -           value=3
    3.400  harness     run.phase             -           text=drain
    9.000  harness     run.phase             -           text=stop
""".format(a="aaaa1111", b="bbbb2222", c="cccc3333")

SAFE = LOST.replace(
    "2.500  worker-1/8  job.running           job-bbbb2222",
    "2.450  worker-1/8  job.finished          job-aaaa1111\n    2.500  worker-1/8  job.running           job-bbbb2222",
).replace("2.700  worker-1/8  job.running ", "2.700  worker-1/8  job.settled ")

CONTRACTS: Sequence[Contract] = (FaultsHit(("kill#1",)), AtLeastOnce(), AtMostOnce(), Recovery(5.0))


def scenario(**changes: Any) -> Scenario:
    """A small scenario, with changes laid over its plain form."""
    plain: dict[str, Any] = {
        "title": "A worker is killed",
        "owner": "payments",
        "seed": 7,
        "queue": {"adapter": "celery", "app": "shop:app", "workers": 1},
        "broker": {"kind": "redis"},
        "workload": {"arrivals": {"rate": "1/s"}, "duration": "3s", "job": [{"task": "shop.charge"}]},
        "fault": [{"kind": "kill", "at": "300ms", "target": "worker"}],
    }
    return Scenario.model_validate({**plain, **changes})


def published(
    folder: Path,
    lines: str | History = LOST,
    *,
    of: Scenario | None = None,
    contracts: Sequence[Contract] = CONTRACTS,
    source: str = "scenarios/killed.toml",
    **about: Any,
) -> Path:
    """Publish a run into `folder` and return the path of its page."""
    of = of if of is not None else scenario()
    seen = history(lines) if isinstance(lines, str) else lines
    folder.mkdir(parents=True)
    log.save(seen, folder / "history.parquet")
    _write_plan(folder / "plan.jsonl")
    metrics = measure(seen)
    result = Result(
        scenario=of,
        source=None,
        folder=folder,
        history=seen,
        verdict=judge(seen, contracts),
        metrics=metrics,
        crossings=judge_gate(metrics, of.gate),
        about={**_about(folder.name, of, source), **about},
        repeat=f"jobharness run {source} --seed {of.seed}",
    )
    publish(result)
    return folder / "report.html"


def _about(run: str, of: Scenario, source: str) -> Mapping[str, Any]:
    return {
        "schema": 1,
        "run": run,
        "finished_at": "2026-11-22T11:02:00+00:00",
        "command": ["jobharness", "run", source],
        "seed": of.seed,
        "source": source,
        "scenario": of.model_dump(exclude_unset=True, by_alias=True),
        "broker": "redis 7.0.15 (binary /usr/bin/redis-server)",
        "app": {
            "version": "5.7.0",
            "python": "3.11.7",
            "settings": {"task_acks_late": False, "broker_url": "redis://:***@127.0.0.1:1/0"},
        },
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "versions": {"jobharness": "0.1.0", "python": "3.11.7", "queue": "5.7.0"},
        "machine": {"system": "Linux", "cores": 2, "memory_bytes": 2**34},
        "cut_short": "",
    }


def _write_plan(path: Path) -> None:
    jobs = [
        {"at_ns": 0, "task": "shop.charge", "args": [ATTACK], "kwargs": {"card_token": "4111-1111"}, "options": {}},
        {"at_ns": 1_000_000_000, "task": "shop.receipt", "args": [], "kwargs": {}, "options": {}},
        {"at_ns": 2_000_000_000, "task": "shop.resize", "args": [], "kwargs": {}, "options": {}},
    ]
    lines = [{"app": "shop:app", "library": "celery"}, *jobs]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
