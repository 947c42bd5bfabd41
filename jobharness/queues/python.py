"""A home-grown queue, the harness's side: the worker's command and the SQL that asks its tables come from the scenario."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jobharness.brokers.broker import Broker
from jobharness.errors import InvalidRequest
from jobharness.history.event import Kind
from jobharness.queues.asking import ask_sql
from jobharness.queues.queue import App, Counts, Held
from jobharness.scenario.model import QueueSpec

__all__ = ["PythonQueue"]

METHODS = ("put", "reserve", "run", "settle", "renew", "retry", "bury")
COUNTED = ("waiting", "running", "delayed", "dead")
QUESTIONS = (*COUNTED, "held", "buried")


class PythonQueue:
    """Any queue of the user's own: `queue.app` names the Python object, `queue.command` starts a worker."""

    library = "python"
    mishaps = True
    own_code = True  # There is no package to install.
    brokers = ("nats", "postgres", "rabbitmq", "redis", "sqlite")
    reports = frozenset(
        (
            Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_ACKNOWLEDGED, Kind.ENQUEUE_NOT_BEFORE, Kind.JOB_RECEIVED, Kind.JOB_RUNNING,
            Kind.JOB_FINISHED, Kind.JOB_FAILED, Kind.JOB_RETRIED, Kind.JOB_DEAD, Kind.JOB_SETTLED, Kind.JOB_LEASE_EXTENDED,
            Kind.WORKER_READY,
        )
    )  # fmt: skip

    def __init__(self, spec: QueueSpec) -> None:
        if not spec.command:
            raise InvalidRequest(
                'queue.command: a home-grown queue needs its worker\'s command, such as ["python", "-m", "shop.worker"]'
            )
        if ":" not in spec.app:
            raise InvalidRequest(f'queue.app: {spec.app!r} does not name the queue; write "module:object" or "module:Class"')
        for key, given, known in (("methods", spec.methods, METHODS), ("ask", spec.ask, QUESTIONS)):
            for name in given:
                if name not in known:
                    raise InvalidRequest(f"queue.{key}.{name}: not known here (known: {', '.join(known)})")
        self._spec = spec

    def worker_command(self, python: Path, name: str) -> list[str]:
        """The scenario's queue.command."""
        return list(self._spec.command)

    def agent_library(self) -> str:
        """The module jobharness.agent.libraries.python."""
        return "python"

    @property
    def lists_held(self) -> bool:
        """Whether the scenario says how to ask which jobs are held."""
        return "held" in self._spec.ask

    def counts(self, broker: Broker, app: App) -> Counts:
        """What the queries of queue.ask answer; None for those that it leaves out."""
        found = {name: int(ask_sql(broker, self._spec.ask[name])[0][0]) for name in COUNTED if name in self._spec.ask}
        return Counts(**found)

    def held(self, broker: Broker, app: App) -> Iterable[Held]:
        """The rows of queue.ask.held: a job's id, and where it is."""
        return self._rows(broker, "held")

    def dead(self, broker: Broker, app: App) -> Iterable[Held]:
        """The rows of queue.ask.buried: a job's id, and where it is."""
        return self._rows(broker, "buried")

    def _rows(self, broker: Broker, question: str) -> list[Held]:
        query = self._spec.ask.get(question)
        rows = ask_sql(broker, query) if query is not None else []
        return [Held(str(row[0]), str(row[1]) if len(row) > 1 else question) for row in rows]
