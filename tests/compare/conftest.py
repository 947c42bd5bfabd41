"""A project under git with a queue of its own over SQLite: two versions of it, and a scenario that takes a second."""

import os
import subprocess
import sys

import pytest

QUEUE = """
import os
import sqlite3
import time
from contextlib import closing

PACE = float(os.environ.get("SHOP_PACE", "1"))
LOSES = int(os.environ.get("SHOP_LOSES", "0"))


class Queue:
    puts = 0

    def __init__(self):
        with closing(self.connect()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT, held REAL)")

    def connect(self):
        path = os.environ.get("SHOP_QUEUE", "sqlite:///shop.sqlite3").removeprefix("sqlite://").replace("//", "/", 1)
        connection = sqlite3.connect(path, timeout=20, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def put(self, task):
        self.puts += 1
        with closing(self.connect()) as connection:
            job = connection.execute("INSERT INTO jobs (task) VALUES (?)", (task,)).lastrowid
            if LOSES and self.puts % LOSES == 0:
                connection.execute("DELETE FROM jobs WHERE id = ?", (job,))
        return job

    def reserve(self):
        take = "UPDATE jobs SET held = 1 WHERE id = (SELECT id FROM jobs WHERE held IS NULL ORDER BY id LIMIT 1) RETURNING id, task"
        with closing(self.connect()) as connection:
            return connection.execute(take).fetchone()

    def settle(self, job):
        with closing(self.connect()) as connection:
            connection.execute("DELETE FROM jobs WHERE id = ?", (job[0],))


queue = Queue()


def perform(job):
    time.sleep(0.004 * PACE)
"""
WORKER = """
import signal
import threading
import time

import shop

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
while not stopping.is_set():
    job = shop.queue.reserve()
    if job is None:
        time.sleep(0.005)
    else:
        shop.perform(job)
        shop.queue.settle(job)
"""
SCENARIO = """
title = "The shop's jobs"
owner = "payments"
expected = "no slower than before"
rollback = "git revert"

[queue]
adapter = "python"
app = "shop:queue"
command = ["python", "-m", "worker"]
methods = { run = "shop:perform" }
ask = { waiting = "SELECT count(*) FROM jobs", held = "SELECT id, 'in the table jobs' FROM jobs" }
env = { SHOP_QUEUE = "{broker.url}" }

[broker]
kind = "sqlite"

[workload]
arrivals = { process = "backlog", jobs = 50 }

[[workload.job]]
task = "charge"

[contract]
delivery = "at-least-once"
recovery = "1s"
"""


class Shop:
    """The project. Commands run in it as their users run them."""

    def __init__(self, folder):
        self.folder = folder
        self.write("shop.py", QUEUE)
        self.write("worker.py", WORKER)
        self.write("shop.toml", SCENARIO)
        self.write("pytest.ini", "[pytest]\njobharness_scenarios = shop.toml\n")
        self.write(".gitignore", "reports/\n__pycache__/\n*.sqlite3\n")
        self.git("init", "-q", "-b", "main")
        self.commit("first")

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def git(self, *words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, subject):
        self.git("add", ".")
        self.git("commit", "-q", "-m", subject)

    def run(self, module, *words):
        env = {name: value for name, value in os.environ.items() if name not in ("CI", "FORCE_COLOR", "PYTEST_ADDOPTS")}
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def start(self, *words):
        command = [sys.executable, "-m", "jobharness.cli.main", *words]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def jobharness(self, *words):
        return self.run("jobharness.cli.main", *words)

    def pytest(self, *words):
        return self.run("pytest", "--jobharness", "-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:randomly", *words)


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    return Shop(folder)
