"""Make the job store's table: `python -m scenarios.apps.conformance.scheduler.tables`.

The job store makes it by itself when it is missing, and so do two processes that begin together: one of them then fails.
"""

from scenarios.apps.conformance.scheduler.jobs import store

if __name__ == "__main__":
    store.jobs_t.create(store.engine, checkfirst=True)
