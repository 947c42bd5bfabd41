"""The home-grown queue of the examples, over SQLite."""

from jobharness.conformance import Job, Subject

APP = "scenarios.apps.conformance.home_grown"
JOBS = {name: Job(name) for name in ("succeed", "fail", "retry", "give_up")} | {"delayed": Job("delayed", {"delay": 1.0})}
NOW = "(julianday('now') - 2440587.5) * 86400.0"
ASK = {
    "waiting": f"SELECT count(*) FROM jobs WHERE state = 'ready' AND leased_until IS NULL AND run_at <= {NOW}",
    "running": "SELECT count(*) FROM jobs WHERE state = 'ready' AND leased_until IS NOT NULL",
    "delayed": f"SELECT count(*) FROM jobs WHERE state = 'ready' AND leased_until IS NULL AND run_at > {NOW}",
    "dead": "SELECT count(*) FROM jobs WHERE state = 'dead'",
    "held": "SELECT id, 'in the table jobs, ' || state FROM jobs WHERE state = 'ready'",
    "buried": "SELECT id, 'in the table jobs, dead' FROM jobs WHERE state = 'dead'",
}
LINGER = Job("linger")
QUEUE = {
    "adapter": "python",
    "app": f"{APP}.jobs:queue",
    "command": ["python", "-m", f"{APP}.worker"],
    "methods": {"run": f"{APP}.jobs:perform"},
    "ask": ASK,
    "env": {"BROKER_URL": "{broker.url}"},
}

SUBJECTS = [Subject("python on sqlite", QUEUE, {"kind": "sqlite"}, JOBS, {"time_out": "this queue has no time limit"})]
