"""The apps of tests/runs whose own schedule sends jobs, each in the newest environment of its library."""

import importlib

from tests.support.environments import environment, wanted

__all__ = ["ticking"]


def _python(code):
    return ["python", "-c", code]


# What [queue] has of each library, its broker, and of its entry the name that the library gives it and how often it comes due.
LIBRARIES = {
    "arq": ({"app": "ticks_arq.WorkerSettings"}, "redis", "cron:tidy_up", 2),
    "saq": ({"app": "ticks_saq.settings"}, "redis", "tidy_up", 4),
    "huey": ({"app": "ticks_huey.huey"}, "redis", "ticks_huey.tidy_up", 60),
    "procrastinate": ({"app": "ticks_procrastinate.app"}, "postgres", "tidy_up", 2),
    "pgqueuer": ({"app": "ticks_pgqueuer:main"}, "postgres", "tidy_up", 4),
    "apscheduler": (
        {
            "app": "ticks_apscheduler:scheduler",
            "command": _python("import ticks_apscheduler; ticks_apscheduler.main()"),
            "setup": [_python("import ticks_apscheduler; ticks_apscheduler.set_up()")],
        },
        "sqlite", "ticks_apscheduler:tidy_up", 2,
    ),
    "django_q2": (
        {
            "adapter": "django-q2",
            "app": "ticks_django",
            "setup": [
                ["python", "manage.py", "migrate", "--no-input"],
                ["python", "manage.py", "shell", "-c", "import ticks_django; ticks_django.set_up()"],
            ],
        },
        "sqlite", "ticks_django.tidy_up", 60,
    ),
}  # fmt: skip


def ticking(library, **env):
    """The table [queue] of an app, the kind of its broker, and of the entry in its schedule the name that the library gives it and
    how often it comes due, in seconds. `env`: further variables of the app's."""
    parts, broker, entry, every_s = LIBRARIES[library]
    python, requirements = wanted(importlib.import_module(f"tests.conformance.subjects.{library}"), "NEWEST", broker)
    queue = {
        "adapter": library,
        "python": str(environment(*requirements, python=python)),
        "env": {"BROKER_URL": "{broker.url}", "PYTHONPATH": ".", **env},
        **parts,
    }
    return queue, broker, entry, every_s
