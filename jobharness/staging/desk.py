"""What the users of one Locust process share: the app's own way to send, the recorder, and the jobs that are to be sent.

plan of a run, or scenario --> Desk --next--> users --send--> app's library or service
                                 `--> records (enqueue begun, acknowledged, refused, unknown)
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jobharness.catalog import queue_kind
from jobharness.clock import now_ns
from jobharness.runner.ceilings import check_ceilings
from jobharness.runner.guard import Guard
from jobharness.scenario.load import load_scenario
from jobharness.staging.share import Share, check_sendable, plan_header, plan_rows
from jobharness.workload.plan import planned_jobs

__all__ = ["Desk"]

AGENT = Path(__file__).resolve().parent.parent / "agent"


class Desk:
    """Not for threads; for greenlets, which take turns at calls that wait and nowhere else.

    Args: `library`: the agent's module for the app's queue; `rows`: the jobs to send, as a plan has them; `start_ns`: of the
    plan's moments, None until it is known.
    """

    def __init__(self, app: str, library: str, rows: Iterator[Mapping[str, Any]], start_ns: int | None = None) -> None:
        boot = _agent("boot")
        self.start_ns, self._rows = start_ns, rows
        self.recorder = boot.recorder
        self._dispatch = _agent("dispatch")
        self._events = _agent("events")
        self._late_ns = int(_agent("producer").LATE_NS)
        self._sender = boot.library_module(library).Sender(app)
        self._sent = self._in_hand = 0
        self._ready = self._exhausted = self._said = False

    @classmethod
    def of_run(cls, plan: Path, share: Share) -> Desk:
        """For a share of the plan of a run, whose environment has switched the agent on."""
        header = plan_header(plan)
        return cls(header["app"], header["library"], plan_rows(plan, share))

    @classmethod
    def of_scenario(cls, path: Path, service_url: str = "", share: Share | None = None) -> Desk:
        """For a locustfile of one's own: the app and the mix of a scenario, whose moments count from now.

        The app finds its broker as it always does: the scenario's `queue.env` is a run's. Enqueues are recorded in the folder
        that JOBHARNESS_HISTORY names, if it names one.

        Raises: InvalidRequest.
        """
        scenario = load_scenario(path)
        check_sendable(scenario, str(path))
        guard = Guard(scenario, str(path))
        guard.check()
        guard.check_url("--host", service_url)
        for name in scenario.queue.env:
            if "://" in os.environ.get(name, ""):  # Here the app has its own, and not what a run would give it.
                guard.check_url(f"the environment variable {name}", os.environ[name])
        check_ceilings(scenario, Path.cwd(), str(path))
        library = queue_kind(scenario.queue.adapter)(scenario.queue).agent_library()
        _boot_agent(scenario.queue.app, library)
        rows = planned_jobs(scenario.workload, scenario.seed, service_url.rstrip("/"), Path.cwd())
        return cls(scenario.queue.app, library, (share or Share(1, 1)).rows(rows), now_ns())

    def next(self) -> Mapping[str, Any] | None:
        """The next job of the plan, or None when all are taken."""
        job = next(self._rows, None)
        if job is None:
            self._exhausted = True
            self._say_done()
        else:
            self._in_hand += 1
        return job

    @property
    def all_sent(self) -> bool:
        """Whether every job was taken, and sent."""
        return self._said

    def due_ns(self, job: Mapping[str, Any]) -> int:
        """The moment for which it is meant."""
        assert self.start_ns is not None
        return self.start_ns + int(job["at_ns"])

    def ready(self) -> None:
        """Say, once, that this process can send."""
        if not self._ready:
            self._ready = True
            self.recorder.record(self._events.PRODUCER_READY)

    def window(self) -> Any:
        """What one user sends with: an HTTP connection of its own, and the app's sender, which all share."""
        return self._dispatch.Dispatch(self.recorder, self._sender, self._dispatch.Service(self.recorder))

    def send(self, window: Any, job: Mapping[str, Any], due_ns: int) -> BaseException | None:
        """Send a job. Returns None, or why it is not known to be enqueued."""
        late_ns = now_ns() - due_ns
        if late_ns > self._late_ns and not job.get("at_once"):
            self.recorder.record(self._events.PRODUCER_LATE, value=late_ns)
        error: BaseException | None = window.send(job, due_ns)
        return error

    def sent(self) -> None:
        """A job that `next` gave out was sent, whatever became of it."""
        self._in_hand -= 1
        self._sent += 1
        self._say_done()

    def _say_done(self) -> None:
        if self._exhausted and not self._in_hand and not self._said:
            self._said = True
            self.recorder.record(self._events.PRODUCER_DONE, value=self._sent)


def _agent(module: str) -> Any:
    """A module of the agent, under the name by which the app's processes know it."""
    return importlib.import_module(f"jobharness_agent.{module}")


def _boot_agent(app: str, library: str) -> None:
    """Switch the agent on in this process, where its environment has not done so."""
    if "jobharness_agent" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "jobharness_agent", AGENT / "__init__.py", submodule_search_locations=[str(AGENT)]
        )
        assert spec is not None and spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules["jobharness_agent"] = package
        spec.loader.exec_module(package)
    folder = os.environ.get("JOBHARNESS_HISTORY", "")
    if not folder:
        folder = tempfile.mkdtemp(prefix="jobharness-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    told = {"JOBHARNESS_ROLE": "producer", "JOBHARNESS_NAME": f"locust-{os.getpid()}", "JOBHARNESS_APP": app}
    _agent("boot").start({**told, **os.environ, "JOBHARNESS_HISTORY": folder, "JOBHARNESS_LIBRARY": library})
