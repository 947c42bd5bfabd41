"""A small shop on APScheduler 3: `python -m scenarios.apps.apscheduler_shop.run` runs the jobs that others add to its job store.

SHOP_JOBS_URL is the job store's address, as SQLAlchemy writes it.
"""
