"""The error budget: what a staging environment may suffer by a run, read all along; beyond it the run aborts itself.

An HTTP URL (its status, its latency, a number of its JSON), a metric in Prometheus's text format or by an instant query of a
Prometheus server, or what the run itself counts. No answer counts as out of range.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from jobharness.clock import now_ns, seconds_between
from jobharness.errors import Aborted, InvalidRequest
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations.waiting import Waiting
from jobharness.processes.site import Site
from jobharness.runner.watch import Notice
from jobharness.scenario.safety import ProbeSpec

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

__all__ = ["ErrorBudget", "NoReading", "read"]

TIMEOUT_S = 2.0
RECENT = 100
MILLIONTHS = 1e6


class NoReading(Exception):
    """A probe could not be read. `str()` is why."""


@dataclass(frozen=True)
class _Reading:
    """What one probe said. `value`: None where it could not be read, `why` then says why not."""

    at_ns: int
    value: float | None
    why: str = ""


class ErrorBudget:
    """See `jobharness.runner.watch`. Notices PROBE_ANSWERED; aborts the run when a probe was out of its range for its time."""

    waiting = False

    def __init__(self, probes: Sequence[ProbeSpec]) -> None:
        self._probes = probes
        self._readings: SimpleQueue[tuple[ProbeSpec, _Reading]] = SimpleQueue()
        self._out_since_ns: dict[str, int] = {}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._jobs = Waiting()
        self._raised: deque[bool] = deque(maxlen=RECENT)
        self._dead = 0

    def ask_first(self) -> None:
        """Read every probe of what is there before the run. Raises: InvalidRequest for one that cannot be read, or is out of its
        range already."""
        for probe in self._probes:
            if probe.url and "{" not in urlsplit(probe.url).netloc and not probe.url.startswith("{"):
                _check_first(probe, probe.url)

    def places(self) -> Mapping[str, str]:
        """None."""
        return {}

    def start(self, site: Site, places: Mapping[str, str]) -> None:
        """Begin to read. Raises: InvalidRequest as `ask_first` does, for what only the run itself has started."""
        for probe in self._probes:
            if not probe.url:
                continue
            address = _filled(probe, places)
            if address != probe.url:
                _check_first(probe, address)
            thread = threading.Thread(target=self._ask, args=(probe, address), daemon=True)
            self._threads.append(thread)
            thread.start()
        own = [probe for probe in self._probes if probe.own is not None]
        if own:
            thread = threading.Thread(target=self._count, args=(own,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _ask(self, probe: ProbeSpec, address: str) -> None:
        while not self._over.wait(probe.every):
            self._readings.put((probe, _reading(probe, address)))

    def _count(self, probes: Sequence[ProbeSpec]) -> None:
        """Read what the run itself counts, each probe at its own pace."""
        due_ns = dict.fromkeys((probe.name for probe in probes), 0)
        while not self._over.wait(min(probe.every for probe in probes)):
            for probe in probes:
                if seconds_between(due_ns[probe.name], now_ns()) >= probe.every:
                    due_ns[probe.name] = now_ns()
                    self._readings.put((probe, _Reading(now_ns(), self._own(str(probe.own)))))

    def _own(self, name: str) -> float:
        if name == "backlog":
            return float(len(self._jobs))
        if name == "oldest_job":
            return self._jobs.oldest_s
        if name == "dead_jobs":
            return float(self._dead)
        raised = list(self._raised)
        return sum(raised) / len(raised) if raised else 0.0

    def see(self, news: Sequence[News]) -> None:
        """Count."""
        for one in news:
            self._jobs.see(one)
            if one.kind in (Kind.JOB_FINISHED, Kind.JOB_FAILED):
                self._raised.append(one.kind is Kind.JOB_FAILED)
            elif one.kind is Kind.JOB_DEAD:
                self._dead += 1

    def look(self) -> Iterable[Notice]:
        """What was read. Raises: Aborted, once that is told, when a probe was out of its range for its time."""
        while True:
            try:
                probe, reading = self._readings.get_nowait()
            except Empty:
                return
            wrong = _wrong(probe, reading)
            yield Notice(Kind.PROBE_ANSWERED, round((reading.value or 0) * MILLIONTHS), probe.name, wrong)
            if not wrong:
                self._out_since_ns.pop(probe.name, None)
                continue
            since_ns = self._out_since_ns.setdefault(probe.name, reading.at_ns)
            if seconds_between(since_ns, reading.at_ns) >= probe.hold:
                lasting = f", for {seconds_between(since_ns, reading.at_ns):.1f} s" if probe.hold else ""
                raise Aborted(f"the error budget: {probe.name}: {wrong}{lasting}")

    def finish(self) -> Iterable[Notice]:
        """What was read until now."""
        return self.look()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S + 1)
        self._threads = []


def _check_first(probe: ProbeSpec, address: str) -> None:
    wrong = _wrong(probe, _reading(probe, address))
    if wrong:
        where = urlsplit(address)
        place = f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}"
        raise InvalidRequest(
            f"abort.probe: {probe.name}: {place} is out of its range before the run: {wrong}. Nothing was started; "
            "mend the probe, or wait until the environment is well"
        )


def _filled(probe: ProbeSpec, places: Mapping[str, str]) -> str:
    address = probe.url
    for name, value in places.items():
        address = address.replace(f"{{{name}}}", value)
    if re.search(r"\{[a-z_]+\.[a-z_]+\}", address):
        raise InvalidRequest(f"abort.probe: {probe.name}: {address}: nothing fills this in (known: {', '.join(sorted(places))})")
    return address


def _wrong(probe: ProbeSpec, reading: _Reading) -> str:
    """What is wrong with a reading, in words; "" for nothing."""
    if reading.value is None:
        return reading.why
    least, most = probe.range
    if least <= reading.value <= most:
        return ""
    allowed = f"at most {most:g}" if least == float("-inf") else f"at least {least:g}" if most == float("inf") else ""
    return f"{reading.value:g}, allowed is {allowed or f'{least:g} to {most:g}'}"


def _reading(probe: ProbeSpec, address: str) -> _Reading:
    at_ns = now_ns()
    try:
        return _Reading(at_ns, read(probe, address))
    except NoReading as error:
        return _Reading(at_ns, None, str(error))


def read(probe: ProbeSpec, address: str) -> float:
    """Read a probe by its address once. Blocks for up to 2 s. Redirections are not followed: they could lead elsewhere.

    Raises: NoReading with the reason.
    """
    if probe.query:
        address = f"{address.rstrip('/')}/api/v1/query?query={quote(probe.query, safe='')}"
    began = time.perf_counter()
    status, body = _get(address)
    if probe.json_path or probe.metric or probe.query:
        if not 200 <= status < 300:
            raise NoReading(f"it answers HTTP {status}")
        text = body.decode("utf-8", "replace")
        return _of_metric(text, probe.metric) if probe.metric else _of_json(text, probe)
    return time.perf_counter() - began if probe.of == "latency" else float(status)


def _get(address: str) -> tuple[int, bytes]:
    where = urlsplit(address)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", (where.path or "/") + (f"?{where.query}" if where.query else ""))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoReading(f"it does not answer ({error or type(error).__name__})") from error
    finally:
        connection.close()


def _of_json(text: str, probe: ProbeSpec) -> float:
    try:
        value = json.loads(text)
        if probe.query:
            data = value["data"]
            if data["resultType"] == "scalar":
                return float(data["result"][1])
            if not data["result"]:
                raise NoReading("the query has no result")
            return sum(float(one["value"][1]) for one in data["result"])
        for step in probe.json_path.split("."):
            value = value[int(step)] if isinstance(value, list) else value[step]
        return float(value)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        what = "the answer of a Prometheus" if probe.query else f"JSON with a number at {probe.json_path!r}"
        raise NoReading(f"it answers, but not with {what}") from error


def _of_metric(text: str, wanted: str) -> float:
    """The sum of the samples that have the name, and the labels that are given."""
    from prometheus_client.parser import text_string_to_metric_families as families

    def samples(page: str) -> list[Sample]:
        return [sample for family in families(page) for sample in family.samples]

    try:
        (asked,) = samples(f"{wanted} 0\n")
        told = samples(text)
    except ValueError as error:
        raise NoReading(f"it answers, but not in Prometheus's text format, or {wanted} names no metric ({error})") from error
    found = [one.value for one in told if one.name == asked.name and asked.labels.items() <= one.labels.items()]
    if not found:
        raise NoReading(f"it has no metric {wanted}")
    return sum(found)
