"""Faults at the SQL statements of a real process: which statement is struck, and what is in the database afterwards."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jobharness.agent import events
from jobharness.agent.recorder import Recorder
from jobharness.history import log
from jobharness.history.event import Kind
from jobharness.processes.process import wait_for
from jobharness.wire.statements import Statements
from tests.support.interpreters import VERSIONS, interpreter

AGENT_PATH = Path(__file__).parents[2] / "jobharness" / "agent" / "path"
FIRST, SECOND, THIRD = (f"0b7f2c1e-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))

# A worker of a queue in SQLite: takes a job, marks it done, and says so.
WORKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=10)
for job in sys.argv[2:]:
    try:
        with connection:
            connection.execute("UPDATE jobs SET state = 'done', runs = runs + 1 WHERE id = ?", (job,))
        print("done", job, flush=True)
    except sqlite3.OperationalError as error:
        print("failed", job, error, flush=True)
connection.close()
"""

NAMING = f"""
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for job in ("worker", "scheduler", "{THIRD}"):
    try:
        connection.execute("SELECT ?", (job,))
        print(job)
    except sqlite3.OperationalError as error:
        print(job, error)
"""


class Stage:
    """A database with two jobs, what is armed at its statements, and a worker."""

    def __init__(self, folder):
        self.folder, self.records = folder, folder / "records"
        self.records.mkdir()
        self.database = folder / "queue.sqlite3"
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, state TEXT, runs INTEGER)")
            connection.executemany("INSERT INTO jobs VALUES (?, 'waiting', 0)", [(FIRST,), (SECOND,)])
        self.statements = Statements(self.database, folder / "steps")
        producer = Recorder(self.records, "producer", "producer")
        for job in (FIRST, SECOND):
            producer.record(events.ENQUEUE_BEGIN, producer.job(job)[0])

    def worker(self, script=WORKER, python=sys.executable):
        env = {
            **os.environ,
            "PYTHONPATH": str(AGENT_PATH),
            "JOBHARNESS_HISTORY": str(self.records),
            "JOBHARNESS_ROLE": "worker",
            "JOBHARNESS_NAME": "worker-1",
            "JOBHARNESS_STEPS": json.dumps([self.statements.told]),
        }
        command = [python, "-c", script, str(self.database), FIRST, SECOND]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def said(self, **more):
        worker = self.worker(**more)
        return worker.communicate(timeout=60)[0].splitlines()

    def rows(self):
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute("SELECT state, runs FROM jobs ORDER BY id").fetchall()

    def evidence(self, *kinds):
        history = log.gather(self.records, {})
        return [
            (Kind(row["kind"]).name_, history.job_id(row["job"]) if row["job"] is not None else "", history.text(row["text"]))
            for row in history.of(*kinds).collect().iter_rows(named=True)
        ]


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_nothing_armed_changes_nothing(stage):
    assert stage.said() == [f"done {FIRST}", f"done {SECOND}"]
    assert stage.rows() == [("done", 1), ("done", 1)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_of_an_app_is_struck_in_the_same_way(stage, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")  # As everywhere: Debian has one version only.
    stage.statements.arm("lost", "COMMIT job=2", "lose")
    assert stage.said(python=python) == [f"done {FIRST}", f"failed {SECOND} disk I/O error"]
    assert stage.rows() == [("done", 1), ("waiting", 0)]


def test_lost_statement_of_one_job_fails_and_is_not_carried_out(stage):
    stage.statements.arm("lost", "UPDATE job=2", "lose")
    assert stage.said() == [f"done {FIRST}", f"failed {SECOND} disk I/O error"]
    assert stage.rows() == [("done", 1), ("waiting", 0)]
    strikes = stage.evidence(Kind.FAULT_BEGIN, Kind.FAULT_HIT, Kind.FAULT_END)
    assert strikes == [("fault.begin", "", "lost"), ("fault.hit", SECOND, "lost"), ("fault.end", "", "lost")]


def test_jobs_that_workers_and_schedulers_enqueue_take_no_number(stage):
    """A tick that came before the workload's second job is not the second job."""
    for role in ("worker", "scheduler"):
        other = Recorder(stage.records, role, f"{role}-1")
        other.record(events.ENQUEUE_BEGIN, other.job(role)[0], text=other.text(role))
    producer = Recorder(stage.records, "producer", "producer")
    producer.record(events.ENQUEUE_BEGIN, producer.job(THIRD)[0])
    stage.statements.arm("lost", "SELECT job=3", "lose", None)
    assert stage.said(script=NAMING) == ["worker", "scheduler", f"{THIRD} disk I/O error"]


def test_lost_reply_of_a_commit_leaves_it_done(stage):
    stage.statements.arm("unsaid", "COMMIT", "lose_reply")
    assert stage.said() == [f"failed {FIRST} disk I/O error", f"done {SECOND}"]
    assert stage.rows() == [("done", 1), ("done", 1)]


def test_lost_commit_is_rolled_back(stage):
    stage.statements.arm("lost", "COMMIT nth=2", "lose")
    assert stage.said() == [f"done {FIRST}", f"failed {SECOND} disk I/O error"]
    assert stage.rows() == [("done", 1), ("waiting", 0)]


def test_repeated_statement_is_carried_out_twice(stage):
    stage.statements.arm("again", f"UPDATE job={FIRST}", "repeat")
    stage.said()
    assert stage.rows() == [("done", 2), ("done", 1)]


@pytest.mark.parametrize(("when", "first"), [("before", ("waiting", 0)), ("after", ("done", 1))])
def test_worker_is_held_at_its_commit_and_killed_there(stage, when, first):
    stage.statements.arm("kill#1", f"{when} COMMIT", "hold", None)
    worker = stage.worker()
    assert wait_for(lambda: bool(stage.evidence(Kind.BROKER_STEP)), 30)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert stage.rows() == [first, ("waiting", 0)]


def test_held_worker_goes_on_when_it_is_released(stage):
    stage.statements.arm("pause#1", "COMMIT", "hold", 1)
    worker = stage.worker()
    assert wait_for(lambda: bool(stage.evidence(Kind.BROKER_STEP)), 30)
    assert stage.rows() == [("waiting", 0), ("waiting", 0)]
    stage.statements.disarm("pause#1")
    assert worker.communicate(timeout=60)[0].splitlines() == [f"done {FIRST}", f"done {SECOND}"]


def test_two_processes_share_what_is_armed_once(stage):
    stage.statements.arm("lost", "UPDATE", "lose", 1)
    both = [stage.worker(), stage.worker()]
    said = "".join(worker.communicate(timeout=60)[0] for worker in both)
    assert said.count("failed") == 1


def test_other_databases_are_left_alone(stage):
    stage.statements.arm("lost", "*", "lose", None)
    other = "import sqlite3; sqlite3.connect(':memory:').execute('SELECT 1'); print('fine')"
    assert stage.said(script=other) == ["fine"]


def test_connection_class_and_rows_of_the_app_stay_its_own(stage):
    stage.statements.arm("none", "VACUUM", "lose")
    script = """
import json, sqlite3, sys
class Mine(sqlite3.Connection):
    pass
connection = sqlite3.connect(sys.argv[1], 5.0, 0, None, True, Mine)
connection.row_factory = sqlite3.Row
rows = list(connection.execute("SELECT state FROM jobs"))
print(json.dumps([isinstance(connection, Mine), type(connection).__name__, rows[0]["state"], len(rows)]))
"""
    assert json.loads(stage.said(script=script)[-1]) == [True, "Mine", "waiting", 2]


def test_job_is_known_from_the_rows_that_were_read(stage):
    """A statement that names a row's number only is about the job in the row that was read before it."""
    stage.statements.arm("lost", "UPDATE job=2", "lose")
    script = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for row, job in connection.execute("SELECT rowid, id FROM jobs ORDER BY id").fetchall()[1:]:
    connection.execute("SELECT id FROM jobs WHERE rowid = ?", (row,)).fetchone()
    try:
        connection.execute("UPDATE jobs SET state = 'done' WHERE rowid = ?", (row,))
    except sqlite3.OperationalError as error:
        print(error)
"""
    assert stage.said(script=script) == ["disk I/O error"]


def test_database_that_is_given_by_its_name_is_watched_as_django_gives_it(stage):
    stage.statements.arm("lost", "UPDATE", "lose", 1)
    script = """
import sqlite3, sys
connection = sqlite3.connect(database=sys.argv[1], timeout=5)
try:
    connection.execute("UPDATE jobs SET state = 'done'")
except sqlite3.OperationalError as error:
    print(error)
"""
    assert stage.said(script=script) == ["disk I/O error"]


def test_what_was_masked_in_a_signature_may_be_anything(stage):
    match = {"alike": "UPDATE UPDATE jobs SET state = *** WHERE id = ?", "by": "worker-1"}
    stage.statements.arm("lost", match, "lose", 1)
    script = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for sql in ("UPDATE jobs SET runs = 'x' WHERE id = ?", "UPDATE jobs SET state = 'done' WHERE id = ?"):
    try:
        connection.execute(sql, ("1",))
    except sqlite3.OperationalError as error:
        print(sql, error)
"""
    assert stage.said(script=script) == ["UPDATE jobs SET state = 'done' WHERE id = ? disk I/O error"]
