"""The settings of a Django project with a schedule of django-q2's, which is made when it is set up (see `set_up`)."""

import os
from urllib.parse import urlsplit

SECRET_KEY = "of the tests"
INSTALLED_APPS = ["django_q"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
NAME = urlsplit(os.environ.get("BROKER_URL", "sqlite:////tmp/ticks.sqlite3")).path.replace("//", "/", 1)
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": NAME, "OPTIONS": {"timeout": 20}}}
Q_CLUSTER = {"name": "ticks", "orm": "default", "workers": 1, "timeout": 5, "retry": 15, "poll": 0.1, "save_limit": 0}


def tidy_up():
    """Return at once."""


def set_up():
    """Make a schedule that comes due now, and every minute from then on."""
    from django_q.models import Schedule

    Schedule.objects.create(name="tidy up", func="ticks_django.tidy_up", schedule_type=Schedule.MINUTES, minutes=1)
