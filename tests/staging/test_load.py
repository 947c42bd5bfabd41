"""Loads by real Locust processes: every job of the plan is sent once, at its moment; a process that is lost loses its own share."""

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.history.log import gather
from jobharness.history.log import load as load_history
from jobharness.processes.ports import free_port
from jobharness.processes.process import wait_for
from jobharness.staging.share import Share, plan_rows

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


def statistics(folder):
    """Locust's lines by name: how many, and how many failed."""
    lines = json.loads((folder / "locust.json").read_text(encoding="utf-8"))
    return {(line["method"], line["name"]): (line["num_requests"], line["num_failures"]) for line in lines}


def intended_ns(history):
    """The intended moment of each job, by the name of the process that sent it."""
    names = history.processes["name"]
    begun = history.of(Kind.ENQUEUE_BEGIN, Kind.ENQUEUE_INTENDED).collect()
    found = {}
    for row in begun.iter_rows(named=True):
        if history.processes["role"][row["process"]] == "producer":
            found.setdefault(names[row["process"]], []).append(row["value"])
    return found


class Checkout:
    """A minute of the scenario that ships: kills, a rolling deploy, a storm of 429, both ways in."""

    def __init__(self, reports):
        self.reports = reports
        command = [sys.executable, "-m", "jobharness.cli.main", "load", "scenarios/staging/checkout.toml", "--headless"]
        command += ["--workers", "4", "--run-time", "1m", "--reports", str(reports)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def folder(self):
        """Of its run."""
        assert wait_for(lambda: any(self.reports.glob("*/records")), 60)
        return next(self.reports.glob("*/records")).parent

    def kill_a_worker(self):
        """Kill one of Locust's workers in the midst of it."""
        follower, seen = Follower(self.folder / "records"), []

        def is_under_way():
            seen.extend(follower.poll())
            return sum(one.kind is Kind.ENQUEUE_BEGIN and one.name == "producer-2" for one in seen) >= 20

        assert wait_for(is_under_way, 120)
        os.kill(next(one.value for one in seen if one.kind is Kind.PROCESS_STARTED and one.text == "producer-2"), signal.SIGKILL)

    def ended(self):
        """Its exit code, what it printed, its folder, and the word of each contract."""
        out, err = self.process.communicate(timeout=300)
        (folder,) = [path for path in self.reports.iterdir() if (path / "run.json").exists()]
        verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        return self.process.returncode, out + err, folder, {one["contract"]: one["word"] for one in verdict["findings"]}


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory):
    """Two of them at once, since most of a minute of load is waiting: one that is whole, and one that loses a Locust worker."""
    both = []
    try:
        both.extend(Checkout(tmp_path_factory.mktemp(name)) for name in ("whole", "lost"))
        both[1].kill_a_worker()
        yield both
    finally:
        for one in both:
            if one.process.poll() is None:
                one.process.terminate()
            one.process.communicate(timeout=60)


PROMISED = {"faults_hit", "no_phantoms", "at_least_once", "attempts_bounded", "recovery"}


def nodes_in(said):
    """How each of Locust's workers ended, as the report says it."""
    lines = [line.split() for line in said.splitlines() if line.strip().startswith("producer-")]
    return {words[0]: words[-1] for words in lines}


def test_checkout_holds_under_load_and_the_whole_plan_is_sent(checkouts):
    code, said, folder, words = checkouts[0].ended()
    assert code == 0, said
    assert words == dict.fromkeys((*PROMISED, "observed"), "holds")
    assert nodes_in(said) == {f"producer-{number}": "whole" for number in range(1, 5)}
    history = load_history(folder / "history.parquet")
    planned = sorted(job["at_ns"] for job in plan_rows(folder / "plan.jsonl", Share(1, 1)))
    sent = sorted(moment for moments in intended_ns(history).values() for moment in moments)
    assert [moment - sent[0] for moment in sent] == [at_ns - planned[0] for at_ns in planned]
    lines = statistics(folder)
    by_path = lines["JOB", "/orders enqueue"]
    assert by_path[1] == 0 and by_path[0] > 0
    started, finished = lines["JOB", "charge started"], lines["JOB", "charge done"]
    assert started == finished == (lines["JOB", "charge enqueue"][0] + by_path[0], 0)
    assert "jobharness load --run-time 1m --workers 4" in said


def test_checkout_with_a_locust_worker_lost_is_decided_but_for_its_jobs(checkouts):
    code, said, folder, words = checkouts[1].ended()
    assert code == 3, said
    assert words == {**dict.fromkeys(PROMISED, "holds"), "observed": "unknown"}
    assert nodes_in(said) == {**{f"producer-{number}": "whole" for number in (1, 3, 4)}, "producer-2": "vanished"}
    history = load_history(folder / "history.parquet")
    counts = {name: len(moments) for name, moments in intended_ns(history).items()}
    planned = {f"producer-{number}": sum(1 for _ in plan_rows(folder / "plan.jsonl", Share(number, 4))) for number in range(1, 5)}
    assert 20 <= counts.pop("producer-2") < planned.pop("producer-2") and counts == planned


def test_locust_worker_that_is_killed_loses_its_share_alone(load):
    run = load("--workers", "4", "--users", "32", "--run-time", "16s")
    seen = run.await_events(Kind.ENQUEUE_BEGIN, 60)
    pids = {one.text: one.value for one in seen if one.kind is Kind.PROCESS_STARTED}
    os.kill(pids["producer-2"], signal.SIGKILL)
    code, findings = run.ended()
    assert code == 3, run.output
    assert "producer-2 vanished before it had sent its share of the plan" in run.output
    assert findings["observed"]["word"] == "unknown"
    rows = {line.split()[0]: line.split()[-1] for line in run.output.splitlines() if line.strip().startswith("producer-")}
    assert rows == {"producer-1": "whole", "producer-2": "vanished", "producer-3": "whole", "producer-4": "whole"}
    assert "vanished" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert {name: found["word"] for name, found in findings.items() if name != "observed"} == {
        "faults_hit": "holds",
        "no_phantoms": "holds",
        "at_least_once": "holds",
        "recovery": "holds",
    }
    history, plan = load_history(run.folder / "history.parquet"), run.folder / "plan.jsonl"
    sent = intended_ns(history)
    start_ns = min(sent["producer-1"])  # Its first row is due at 0.
    for number in (1, 3, 4):
        share = [job["at_ns"] for job in plan_rows(plan, Share(number, 4))]
        assert sorted(moment - start_ns for moment in sent[f"producer-{number}"]) == share
    lost = [job["at_ns"] for job in plan_rows(plan, Share(2, 4))]
    begun = sorted(moment - start_ns for moment in sent["producer-2"])
    assert 0 < len(begun) < len(lost) and Counter(begun) <= Counter(lost)


def test_control_load_goes_first_without_faults(load):
    run = load("--run-time", "2s", control=True)
    assert run.process.wait(120) == 0, run.output
    told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.project.glob("reports/*/verdict.json"))]
    assert len(told) == 2, run.output
    words = [{found["contract"]: found["word"] for found in one["findings"]} for one in told]
    assert "control" not in words[0] and "recovery" not in words[0]
    assert words[1]["control"] == words[1]["recovery"] == "holds"
    sent = [statistics(file.parent)["JOB", "nap enqueue"] for file in run.project.glob("reports/*/locust.json")]
    assert sent == [(80, 0), (80, 0)]


def test_stop_in_the_web_interface_ends_the_run(load):
    port = free_port()
    run = load("--web-port", str(port))
    run.await_events(Kind.JOB_FINISHED, 20)

    def ask(path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    names = ("nap enqueue", "nap started", "nap done")
    assert wait_for(lambda: {line["name"] for line in ask("/stats/requests")["stats"]} >= set(names), 30)
    with suppress(http.client.RemoteDisconnected):  # It may be gone before it has answered.
        ask("/stop", "POST")
    code, findings = run.ended(60)
    assert code == 3, run.output
    assert "aborted by Stop in Locust's web interface" in findings["observed"]["sentence"]


IN_TURNS = """
from jobharness.agent import intent  # As in a process whose agent was there first.
import gevent.monkey
gevent.monkey.patch_all()

def enqueue(at_ns):
    intent.intend(at_ns, str(at_ns))
    gevent.sleep(0)  # As it waits for a connection.
    taken, group = intent.take(), intent.group()
    intent.began(b"key %d" % at_ns)
    gevent.sleep(0)
    return taken, group, intent.key()

users = [gevent.spawn(enqueue, at_ns) for at_ns in (1, 2)]
print([user.get() for user in users])
"""


def test_enqueues_that_take_turns_in_one_thread_are_told_apart():
    done = subprocess.run([sys.executable, "-c", IN_TURNS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str([(1, "1", b"key 1"), (2, "2", b"key 2")])


OWN = """
import gevent
from locust import constant, task
from jobharness.staging import JobUser

class Napper(JobUser):
    scenario = "naps.toml"
    wait_time = constant(0)

    @task
    def nap(self):
        self.enqueue("naps.nap", 0.01)
        if self.environment.runner.stats.total.num_requests >= 100:
            gevent.spawn(self.environment.runner.quit)

    @task
    def next_of_the_mix(self):
        self.enqueue_next()
"""


def test_locustfile_of_ones_own_records_what_it_sends(environment, tmp_path, redis_url):
    """Each enqueue of each greenlet has its own begin and its own end."""
    (tmp_path / "locustfile.py").write_text(OWN, encoding="utf-8")
    records = tmp_path / "records"
    records.mkdir()
    env = {**environment, "CELERY_BROKER_URL": redis_url, "JOBHARNESS_HISTORY": str(records)}
    command = [sys.executable, "-m", "locust", "--headless", "-u", "8", "-r", "8", "-t", "60s", "--json", "--only-summary"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)
    assert (line["method"], line["name"], line["num_failures"]) == ("JOB", "nap enqueue", 0)
    kinds = gather(records, {}).events["kind"].value_counts(sort=False)
    told = {Kind(kind): count for kind, count in kinds.iter_rows()}
    assert told[Kind.ENQUEUE_ACKNOWLEDGED] >= line["num_requests"] >= 100
    assert told[Kind.ENQUEUE_BEGIN] - told[Kind.ENQUEUE_ACKNOWLEDGED] in range(9)  # Users that were stopped in the middle.


SCHEDULED = """
from jobharness.staging import ArrivalShape, ScheduledUser

class Napper(ScheduledUser):
    scenario = "naps.toml"

class Shape(ArrivalShape):
    scenario = "naps.toml"
"""


def test_scheduled_users_of_two_processes_send_the_whole_plan_and_the_shape_ends_it(environment, tmp_path, redis_url):
    (tmp_path / "locustfile.py").write_text(SCHEDULED, encoding="utf-8")
    short = (tmp_path / "naps.toml").read_text(encoding="utf-8").replace('"8s"', '"2s"')
    (tmp_path / "naps.toml").write_text(short, encoding="utf-8")
    records = tmp_path / "records"
    records.mkdir()
    env = {**environment, "CELERY_BROKER_URL": redis_url, "JOBHARNESS_HISTORY": str(records)}
    command = [sys.executable, "-m", "locust", "--headless", "--processes", "2", "-u", "8", "--json", "--only-summary"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    history = gather(records, {})
    sent = list(intended_ns(history).values())
    assert sorted(map(len, sent)) == [40, 40]
    assert len(history.of(Kind.PRODUCER_DONE).collect()) == 2
