"""A periodic task on procrastinate: every EVERY_S seconds, deferred by whichever worker is first; and a task that somebody sends."""

import os

from procrastinate import App, PsycopgConnector

EVERY_S = int(os.environ.get("EVERY_S", "2"))  # 0: never.

app = App(connector=PsycopgConnector(conninfo=os.environ.get("BROKER_URL", "postgresql://127.0.0.1/")))


@app.task(name="work")
def work(number):
    """Return at once."""


@app.task(name="tidy_up")
def tidy_up(timestamp):
    """Return at once."""


if EVERY_S:
    app.periodic(cron=f"* * * * * */{EVERY_S}")(tidy_up)
