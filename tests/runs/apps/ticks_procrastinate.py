"""A periodic task on procrastinate: every two seconds, deferred by whichever worker is first."""

import os

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ.get("BROKER_URL", "postgresql://127.0.0.1/")))


@app.periodic(cron="* * * * * */2")
@app.task(name="tidy_up")
def tidy_up(timestamp):
    """Return at once."""
