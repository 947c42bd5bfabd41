"""The settings. BROKER_URL is sqlite:////absolute/path or postgresql://user@host:port/name."""

import os
from urllib.parse import urlsplit

DATABASE_URL = urlsplit(os.environ.get("BROKER_URL", "sqlite:////tmp/conformance.sqlite3"))

SECRET_KEY = os.environ.get("SECRET_KEY", "for development only")
INSTALLED_APPS = ["django_q", "outcomes"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

if DATABASE_URL.scheme == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE_URL.path.replace("//", "/", 1),
            "OPTIONS": {"timeout": 20},
            "CONN_MAX_AGE": 60,
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE_URL.path.lstrip("/"),
            "USER": DATABASE_URL.username,
            "PASSWORD": DATABASE_URL.password or "",
            "HOST": DATABASE_URL.hostname,
            "PORT": DATABASE_URL.port,
            "CONN_MAX_AGE": 60,
        }
    }

# "retry" is the time after which a job is delivered again unless the cluster's monitor has told the database of its end: a failed
# one, one that waits inside a cluster, and one that is done and whose result waits for the monitor. It must be longer than any of
# them waits, and than "timeout". The monitor is quicker where it need not delete old results (a "save_limit" of 0). One of -1,
# where it saves no success, would leave a job that fails and then succeeds among the failed for ever.
Q_CLUSTER = {
    "name": "outcomes",
    "orm": "default",
    "workers": 2,
    "timeout": 5,
    "retry": 25,
    "max_attempts": 2,
    "poll": 0.1,
    "save_limit": 0,
}
