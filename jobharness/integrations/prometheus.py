"""Prometheus and Alertmanager as in production: they scrape the run's metrics every second, and alarms ring here.

Both are real servers on free loopback ports, their data in the run's folder. Alertmanager notifies the run as it
would notify whoever is on call; the history has the moment at which the notification came.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jobharness.clock import NS_PER_S, now_ns
from jobharness.errors import EnvironmentFailed, InvalidRequest, ProcessFailed, nearest
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations.alarms import alarm_rules
from jobharness.integrations.exposition import LiveMetrics
from jobharness.integrations.inbox import Inbox
from jobharness.integrations.programs import PROGRAMS, Program
from jobharness.processes.ports import free_port
from jobharness.processes.process import Process, wait_for
from jobharness.processes.site import Site
from jobharness.runner.watch import Notice
from jobharness.scenario.model import PrometheusSpec, Scenario

__all__ = ["PrometheusWatch"]

READY_WITHIN_S = 30.0
ASK_WITHIN_S = 5.0
SETTLE_S = 3.0


class PrometheusWatch:
    """See `jobharness.runner.watch`. Notices ALERT_FIRING, ALERT_RESOLVED and, at the end, ALERT_WATCHED.

    Raises: EnvironmentFailed where Prometheus or Alertmanager is not on this machine.
    """

    def __init__(self, scenario: Scenario, project: Path) -> None:
        self._spec = scenario.prometheus or PrometheusSpec()
        self._asked = {alert.name: alert for alert in scenario.contract.alert} if scenario.fault else {}
        self._project = project
        self._programs = {program.name: _path(program) for program in PROGRAMS}
        self._metrics = LiveMetrics(scenario.queue.adapter, scenario.queue.workers)
        self._inbox = Inbox()
        self._port, self._pager_port = free_port(), free_port()
        self._server: Any = None
        self._processes: list[Process] = []
        self._struck_ns: dict[str, int] = {}
        self._rang: set[str] = set()
        self._rules = 0
        self._over_ns = 0  # When all else was done.

    def places(self) -> Mapping[str, str]:
        """The address of the run's own Prometheus."""
        return {"prometheus.url": f"http://127.0.0.1:{self._port}"}

    def start(self, site: Site, places: Mapping[str, str]) -> None:
        """Start both, and wait until the first scrape has succeeded.

        Raises: InvalidRequest for rules that promtool refuses, or an alert that no rule defines; ProcessFailed.
        """
        folder = site.data / "prometheus"
        folder.mkdir()
        rules = [str(path) for path in self._rule_files(folder)]
        self._check_rules(rules)
        metrics_port, self._server = self._metrics.serve()
        others = [_filled(address, places) for address in self._spec.scrape]
        config = _config(rules, f"http://127.0.0.1:{metrics_port}/metrics", others, self._pager_port)
        (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # YAML is a superset of JSON.
        (folder / "alertmanager.yml").write_text(json.dumps(_routes(self._inbox.port)), encoding="utf-8")
        pager = [
            self._programs["alertmanager"],
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self._pager_port}",
            "--cluster.listen-address=",
        ]
        prometheus = [
            self._programs["prometheus"],
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--rules.alert.resend-delay=2s",
        ]
        self._processes = [site.start("alertmanager", pager), site.start("prometheus", prometheus)]
        wait_for(lambda: self._ended() or self._scraping(), READY_WITHIN_S)
        self._check_alive()
        if not self._scraping():
            raise ProcessFailed("prometheus", f"did not scrape within {READY_WITHIN_S:g} s", self._processes[1].log_tail())
        self._check_asked()

    def _rule_files(self, folder: Path) -> Iterator[Path]:
        """The scenario's own rules, or ours."""
        for name in self._spec.rules:
            path = self._project / name
            if not path.is_file():
                raise InvalidRequest(f"prometheus.rules: there is no file {path}")
            yield path
        if not self._spec.rules:
            path = folder / "alarms.yml"
            path.write_text(alarm_rules(self._spec), encoding="utf-8")
            yield path

    def _check_rules(self, rules: Sequence[str]) -> None:
        checked = subprocess.run(
            [self._programs["promtool"], "check", "rules", *rules], capture_output=True, text=True, timeout=30, check=False
        )
        if checked.returncode:
            raise InvalidRequest(f"prometheus.rules: promtool refuses them:\n{(checked.stdout + checked.stderr).strip()}")

    def _check_asked(self) -> None:
        """Every alert that a contract names has a rule."""
        groups = self._ask("/api/v1/rules?type=alert")["data"]["groups"]
        known = sorted({rule["name"] for group in groups for rule in group["rules"]})
        self._rules = len(known)
        for name in self._asked:
            if name not in known:
                guess = nearest(name, known)
                hint = f"; did you mean {guess!r}?" if guess else ""
                raise InvalidRequest(f"contract.alert: no rule defines {name!r}{hint} (known: {', '.join(known) or 'none'})")

    def _scraping(self) -> bool:
        """Whether the run's metrics are scraped, and Alertmanager is told of what rings."""
        try:
            up = self._ask("/api/v1/query?query=" + quote('up{job="jobharness"}'))["data"]["result"]
            ready = _get(self._pager_port, "/-/ready")[0] == 200
            # Until it has found Alertmanager, seconds after its start, Prometheus drops what rings.
            ready = ready and bool(self._ask("/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False
        return ready and bool(up) and all(one["value"][1] == "1" for one in up)

    def _ask(self, path: str) -> dict[str, Any]:
        _, body = _get(self._port, path)
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _ended(self) -> bool:
        return any(process.exit_code is not None for process in self._processes)

    def _check_alive(self) -> None:
        for process in self._processes:
            if process.exit_code is not None:
                raise ProcessFailed(process.name, f"ended with code {process.exit_code}", process.log_tail())

    def see(self, news: Sequence[News]) -> None:
        """Count, and note when each fault first struck."""
        self._metrics.see(news)
        for one in news:
            if one.kind is Kind.FAULT_BEGIN:
                for fault in (one.text, ""):
                    self._struck_ns.setdefault(fault, one.time_ns)

    def look(self) -> Iterable[Notice]:
        """What Alertmanager told."""
        self._check_alive()
        notices = [notice for post in self._inbox.take() for notice in _told(post.body)]
        self._rang |= {notice.text for notice in notices if notice.kind is Kind.ALERT_FIRING}
        return notices

    @property
    def waiting(self) -> bool:
        """Whether an alarm that was promised may yet ring in time, or one may be on its way that nobody asked for."""
        self._over_ns = self._over_ns or now_ns()
        if now_ns() < self._over_ns + round(SETTLE_S * NS_PER_S):
            return True
        for name, alert in self._asked.items():
            struck_ns = self._struck_ns.get(alert.fault)
            if (
                name not in self._rang
                and struck_ns is not None
                and now_ns() < struck_ns + round((alert.within + SETTLE_S) * NS_PER_S)
            ):
                return True
        return False

    def finish(self) -> Iterable[Notice]:
        """The last of them, and whether all was watched until now."""
        yield from self.look()
        if self._scraping():
            yield Notice(Kind.ALERT_WATCHED, value=self._rules)

    def stop(self) -> None:
        """End both servers."""
        for process in self._processes:
            process.stop(grace_s=3)
        self._processes = []
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self._inbox.close()


def _path(program: Program) -> str:
    if program.path is None:
        raise EnvironmentFailed(f"{program.name} is not on this machine; install it (Debian: {program.install})")
    return program.path


def _filled(address: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        address = address.replace(f"{{{name}}}", value)
    return address


def _config(rules: Sequence[str], own: str, others: Sequence[str], pager_port: int) -> dict[str, Any]:
    """Prometheus's configuration: `own` and `others` are the URLs that it scrapes, each a job of its own."""
    second = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    jobs = [
        {
            "job_name": "jobharness" if address == own else f"app-{number}",
            "metrics_path": urlsplit(address).path or "/metrics",
            "static_configs": [{"targets": [urlsplit(address).netloc]}],
        }
        for number, address in enumerate([own, *others])
    ]
    pagers = [{"static_configs": [{"targets": [f"127.0.0.1:{pager_port}"]}]}]
    return {"global": second, "rule_files": list(rules), "scrape_configs": jobs, "alerting": {"alertmanagers": pagers}}


def _routes(port: int) -> dict[str, Any]:
    """Every alert by itself, at once, to the run."""
    hook = {"url": f"http://127.0.0.1:{port}/", "send_resolved": True}
    route = {"receiver": "run", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "24h"}
    return {
        "route": route,
        "receivers": [{"name": "run", "webhook_configs": [hook]}],
    }


def _told(body: bytes) -> Iterator[Notice]:
    """The alerts of one notification (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config)."""
    for alert in json.loads(body).get("alerts", ()):
        labels = dict(alert["labels"])
        kind = Kind.ALERT_FIRING if alert["status"] == "firing" else Kind.ALERT_RESOLVED
        name = labels.pop("alertname")
        yield Notice(kind, text=name, group=", ".join(f"{label}={value}" for label, value in sorted(labels.items())))


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
