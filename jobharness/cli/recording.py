"""Records a trace of a running system: from what it says, from the agent in it, or from what others recorded."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jobharness.errors import InvalidRequest, ScenarioInvalid, UnknownName
from jobharness.workload.trace import Arrival, write_trace

__all__ = ["gather_records", "import_file", "print_agent", "record_celery"]


def record_celery(broker: str, lasting: str, enable: bool, out: Path, arguments: bool, mask: Sequence[str]) -> int:
    """Listen, then write. Raises: InvalidRequest, BrokerFailed."""
    from jobharness.queues.celery_events import listen
    from jobharness.scenario.units import parse_duration

    _check_out(out)
    try:
        for_s = parse_duration(lasting)
    except ValueError as error:
        raise InvalidRequest(f"--for: {error}") from None
    _say(f"listening for {lasting}; Ctrl-C ends it and writes what was heard")
    heard = listen(broker, for_s, enable=enable)
    arrivals = heard.arrivals()
    if not arrivals:
        raise InvalidRequest(
            f"heard {heard.events} events of tasks and no arrival, so nothing was written: start the workers with -E and set "
            "task_send_sent_event = true where jobs are sent, or ask the workers by --enable-events"
        )
    if heard.sent < len(arrivals):
        _say(f"{len(arrivals) - heard.sent} arrivals are the moments at which a worker took the job (see task_send_sent_event)")
    if arguments and heard.cut:
        _say(f"the arguments of {heard.cut} jobs were cut short by Celery, or are no plain values, and left out")
    return _write(arrivals, out, arguments, mask)


def print_agent(library: str, folder: Path, ship: str = "", node: str = "") -> int:
    """Print the agent's environment for the user's own processes, as a shell takes it; make the folder."""
    from jobharness.catalog import QUEUES, queue_kind
    from jobharness.runner.surroundings import AGENT_PATH
    from jobharness.scenario.model import QueueSpec

    if library not in QUEUES:
        raise UnknownName("queue", library, QUEUES)
    if library == "python":
        raise InvalidRequest("a queue of your own is recorded by a scenario that says what its methods are called, not here")
    host, _, port = ship.rpartition(":")
    if ship and not (host and port.isdigit()):
        raise InvalidRequest(f"--ship: {ship!r} is not HOST:PORT, such as 10.0.0.5:7070")
    name = queue_kind(library)(QueueSpec(adapter=library, app="recorded")).agent_library()
    whole = folder.resolve()
    whole.mkdir(parents=True, exist_ok=True)
    variables = {
        "JOBHARNESS_HISTORY": whole,
        "JOBHARNESS_LIBRARY": name,
        "JOBHARNESS_ROLE": "worker",
        "JOBHARNESS_NAME": "recorded",
        **({"JOBHARNESS_SHIP": ship} if ship else {}),
        **({"JOBHARNESS_NODE": node} if node else {}),
    }
    lines = [f"export {variable}={shlex.quote(str(value))}" for variable, value in variables.items()]
    path = shlex.quote(str(AGENT_PATH))
    sys.stdout.write("\n".join([*lines, f'export PYTHONPATH={path}"${{PYTHONPATH:+:$PYTHONPATH}}"', ""]))
    then = "they reach the collector by themselves" if ship else f"then: jobharness record gather {folder}"
    _say(f"set these where workers and whatever enqueues are started, on one machine; {then}")
    return 0


def gather_records(folder: Path, out: Path) -> int:
    """Write the trace of record files, or of a history."""
    from jobharness.history import log
    from jobharness.workload.trace import trace_of

    _check_out(out)
    kept = folder / "history.parquet" if (folder / "history.parquet").is_file() else folder
    if kept.is_file():
        history = log.load(kept)
    elif any(folder.glob("*.rec")):
        history = log.gather(folder, {})
    else:
        raise InvalidRequest(f"{folder} has no record files; was the agent's environment set before the processes started?")
    arrivals = trace_of(history)
    if not arrivals:
        raise InvalidRequest(f"{folder} holds {history.events.height} events and none of a job, so nothing was written")
    return _write(arrivals, out, False, ())


def import_file(file: Path, columns: Sequence[str], out: Path, arguments: bool, mask: Sequence[str]) -> int:
    """Write the trace of a file of somebody else's. `columns`: each OURS=THEIRS."""
    from jobharness.workload.imported import imported

    _check_out(out)
    pairs = [pair.partition("=") for pair in columns]
    for ours, between, theirs in pairs:
        if not (ours and between and theirs):
            raise InvalidRequest(f"--column: {ours + between + theirs!r} is not OURS=THEIRS, such as at_s=created_at")
    arrivals, left_out = imported(file, {ours: theirs for ours, _, theirs in pairs})
    if left_out:
        _say(f"left out: {', '.join(left_out)}")
    return _write(arrivals, out, arguments, mask)


def _check_out(out: Path) -> None:
    """Refuse what could not be written, before anything is listened to."""
    if out.suffix not in (".csv", ".jsonl", ".ndjson", ".parquet"):
        raise ScenarioInvalid(str(out), "", "is no name of a trace; it must end in .csv, .jsonl or .parquet")
    if not out.absolute().parent.is_dir():
        raise InvalidRequest(f"--out: there is no folder {out.parent}")


def _write(arrivals: Sequence[Arrival], out: Path, arguments: bool, mask: Sequence[str]) -> int:
    from jobharness.runner.masking import without_secrets

    if arguments:
        arrivals = [
            replace(one, args=without_secrets(one.args, mask), kwargs=without_secrets(one.kwargs, mask)) for one in arrivals
        ]
    write_trace(arrivals, out, arguments=arguments)
    first, last = min(one.at_ns for one in arrivals), max(one.at_ns for one in arrivals)
    tasks = Counter(one.task for one in arrivals)
    listed = ", ".join(f"{count} {task}" for task, count in tasks.most_common(5)) + (" …" if len(tasks) > 5 else "")
    sys.stdout.write(f"{out}: {len(arrivals)} jobs in {(last - first) / 1e9:.1f} s ({listed})\n")
    return 0


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")
