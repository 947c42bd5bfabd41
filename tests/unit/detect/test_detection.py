"""`jobharness init` on small projects laid out as people lay them out."""

import tomllib
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from jobharness.catalog import queue_kind
from jobharness.cli.main import app
from jobharness.detect.first import scenario_for, write_first
from jobharness.detect.libraries import find
from jobharness.detect.source import modules_of
from jobharness.scenario.load import load_scenario


@pytest.fixture
def project(tmp_path):
    """Makes a project of files; the texts are dedented."""

    def make(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return tmp_path

    return make


def found_in(folder):
    return find(modules_of(folder), folder)


CELERY_SRC = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n',
    "src/shop/__init__.py": "",
    "src/shop/worker.py": """
        import os
        from celery import Celery

        app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "redis://localhost:6379/0"), include=["shop.jobs"])
    """,
    "src/shop/jobs.py": """
        from .worker import app

        @app.task(bind=True, max_retries=3)
        def send_receipt(self, order_id: str, email: str, copy: bool = False):
            ...

        @app.task(name="shop.charge")
        def charge(order_id: str, amount: int):
            ...
    """,
}


def test_celery_app_in_a_src_layout_is_found_with_the_tasks_of_another_module(project):
    folder = project(**CELERY_SRC)
    (one,) = found_in(folder)
    assert (one.library, one.app, one.broker) == ("celery", "shop.worker:app", "redis")
    assert one.where == "src/shop/worker.py:5"
    assert one.variables == ("CELERY_BROKER_URL",)
    assert [(task.name, task.parameters) for task in one.tasks] == [
        ("shop.jobs.send_receipt", (("order_id", "str"), ("email", "str"))),
        ("shop.charge", (("order_id", "str"), ("amount", "int"))),
    ]
    scenario = tomllib.loads(scenario_for(one, folder))
    assert scenario["queue"]["env"] == {"PYTHONPATH": "src", "CELERY_BROKER_URL": "{broker.url}"}
    assert scenario["workload"]["job"][0]["kwargs"] == {"order_id": "{faker.uuid4}", "email": "{faker.email}"}


def test_celery_app_made_by_a_factory_of_another_module_is_found(project):
    folder = project(
        **{
            "shop/__init__.py": "",
            "shop/factory.py": """
                import celery as c

                def make_celery(settings):
                    instance = c.Celery("shop", broker=settings.BROKER_URL)
                    instance.conf.task_acks_late = True
                    return instance
            """,
            "shop/settings.py": """
                import os
                BROKER_URL = os.environ["SHOP_AMQP_URL"]  # amqp://guest@rabbit
            """,
            "shop/celery_app.py": """
                from shop import settings
                from shop.factory import make_celery

                celery = make_celery(settings)
            """,
            "shop/tasks.py": """
                from celery import shared_task

                @shared_task
                def resize(name):
                    ...
            """,
        }
    )
    (one,) = found_in(folder)
    assert (one.library, one.app, one.broker) == ("celery", "shop.celery_app:celery", "rabbitmq")
    assert one.variables == ("SHOP_AMQP_URL",)
    assert [task.name for task in one.tasks] == ["shop.tasks.resize"]


def test_flask_project_keeps_its_celery_app_in_the_extensions(project):
    folder = project(
        **{
            "make_celery.py": """
                from shop import create_app

                flask_app = create_app()
                celery_app = flask_app.extensions["celery"]
            """,
            "shop/__init__.py": "from celery import Celery, shared_task\n\n@shared_task\ndef mail(address):\n    ...\n",
        }
    )
    assert [one.app for one in found_in(folder)] == ["make_celery:celery_app"]


def test_django_project_with_django_q2_is_found_by_its_settings(project):
    folder = project(
        **{
            "backend/manage.py": "import sys\n",
            "backend/shop/__init__.py": "",
            "backend/shop/settings.py": """
                import os
                INSTALLED_APPS = ["django_q", "orders"]
                DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["DATABASE_URL"]}}
                Q_CLUSTER = {"name": "shop", "orm": "default"}
            """,
            "backend/orders/tasks.py": "def charge(order_id, amount):\n    ...\n",
            "backend/orders/migrations/0001_initial.py": "this is no python",
        }
    )
    (one,) = found_in(folder)
    assert (one.library, one.app, one.broker) == ("django-q2", "shop.settings", "postgres")
    assert [task.name for task in one.tasks] == ["orders.tasks.charge"]
    scenario = tomllib.loads(scenario_for(one, folder))
    assert scenario["queue"]["folder"] == "backend"
    assert scenario["queue"]["env"] == {"DATABASE_URL": "{broker.url}"}


def test_dramatiq_module_with_its_broker_elsewhere_is_found(project):
    folder = project(
        **{
            "app/broker.py": """
                import os
                import dramatiq
                from dramatiq.brokers.rabbitmq import RabbitmqBroker

                dramatiq.set_broker(RabbitmqBroker(url=os.getenv("RABBITMQ_URL")))
            """,
            "app/actors.py": """
                import dramatiq
                from . import broker

                @dramatiq.actor(max_retries=3)
                def charge(order_id):
                    ...
            """,
        }
    )
    (one,) = found_in(folder)
    assert (one.library, one.app, one.broker) == ("dramatiq", "app.actors", "rabbitmq")
    assert one.variables == ("RABBITMQ_URL",)
    assert [task.name for task in one.tasks] == ["charge"]


HUEY = """
    from huey import SqliteHuey, crontab

    huey = SqliteHuey("shop", filename="/data/queue.db")

    @huey.task(retries=2)
    def charge(order_id, amount):
        ...

    @huey.periodic_task(crontab(minute="0"))
    def tidy():
        ...
"""
ARQ = """
    from arq.connections import RedisSettings

    async def charge(ctx, order_id: str):
        ...

    class WorkerSettings:
        functions = [charge]
        redis_settings = RedisSettings()
"""
TASKIQ = """
    import os
    from taskiq_redis import RedisStreamBroker, RedisAsyncResultBackend

    def make():
        broker = RedisStreamBroker(os.environ["REDIS_URL"])
        return broker

    broker = RedisStreamBroker(os.environ["REDIS_URL"]).with_result_backend(RedisAsyncResultBackend(os.environ["REDIS_URL"]))

    @broker.task
    async def charge(order_id: str, amount: int) -> None:
        ...
"""
PROCRASTINATE = """
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo="postgresql://localhost/shop"))

    @app.task(name="charge", pass_context=True)
    def charge(context, order_id):
        ...
"""
PGQUEUER = """
    from contextlib import asynccontextmanager
    from pgqueuer import AsyncpgDriver, PgQueuer

    @asynccontextmanager
    async def main():
        manager = PgQueuer(AsyncpgDriver(None))

        @manager.entrypoint("charge")
        async def charge(job):
            ...

        yield manager
"""
RQ = """
    from redis import Redis
    from rq import Queue
    from rq.decorators import job

    queue = Queue("shop", connection=Redis())

    @job("shop", connection=Redis())
    def charge(order_id):
        ...
"""
SAQ = """
    from saq import Queue

    async def charge(ctx, *, order_id):
        ...

    queue = Queue.from_url("redis://localhost")
    settings = {"queue": queue, "functions": [charge], "concurrency": 10}
"""


@pytest.mark.parametrize(
    ("source", "library", "name", "broker", "task", "parameters"),
    [
        (HUEY, "huey", "jobs:huey", "sqlite", "charge", ("order_id", "amount")),
        (ARQ, "arq", "jobs.WorkerSettings", "redis", "charge", ("order_id",)),
        (TASKIQ, "taskiq", "jobs:broker", "redis", "jobs:charge", ("order_id", "amount")),
        (PROCRASTINATE, "procrastinate", "jobs.app", "postgres", "charge", ("order_id",)),
        (PGQUEUER, "pgqueuer", "jobs:main", "postgres", "charge", ()),
        (RQ, "rq", "jobs:queue", "redis", "jobs.charge", ("order_id",)),
        (SAQ, "saq", "jobs:settings", "redis", "charge", ("order_id",)),
    ],
)
def test_app_of_each_library_is_found_with_its_first_task(project, source, library, name, broker, task, parameters):
    one = found_in(project(**{"jobs.py": source}))[0]
    assert (one.library, one.app, one.broker) == (library, name, broker)
    assert one.tasks[0].name == task
    assert tuple(parameter for parameter, _ in one.tasks[0].parameters) == parameters


def test_source_is_read_and_never_run(project):
    folder = project(**{"jobs.py": "raise SystemExit('imported')\n" + dedent(HUEY)})
    assert [one.library for one in found_in(folder)] == ["huey"]


def test_first_scenario_is_a_scenario(project):
    folder = project(**CELERY_SRC)
    written = write_first(found_in(folder)[0], folder)
    assert [path.relative_to(folder) for path in written.files] == [Path("scenarios/worker_killed.toml"), Path("pyproject.toml")]
    scenario = load_scenario(folder / "scenarios" / "worker_killed.toml")
    assert queue_kind(scenario.queue.adapter).library == "celery"
    options = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert options["tool"]["pytest"]["ini_options"]["jobharness_scenarios"] == ["scenarios"]
    assert options["project"]["name"] == "shop"


def test_nothing_that_is_there_is_written_over(project):
    mine = {"scenarios/worker_killed.toml": "mine", "pytest.ini": "[pytest]\naddopts = -q\n"}
    folder = project(**CELERY_SRC, **mine)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written = write_first(found_in(folder)[0], folder)
    assert written.files == ()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert "jobharness_scenarios = scenarios" in written.advice[0]


def test_command_prints_what_it_found_and_the_next_command(project):
    answer = CliRunner().invoke(app, ["init", str(project(**CELERY_SRC))])
    assert answer.exit_code == 0
    assert "found     celery: shop.worker:app (src/shop/worker.py:5), 2 tasks, broker redis" in answer.output
    assert answer.output.rstrip().endswith("jobharness run --dry-run scenarios/worker_killed.toml")


def test_project_without_a_queue_is_told_so(project):
    answer = CliRunner().invoke(app, ["init", str(project(**{"main.py": "print('hello')\n"}))])
    assert answer.exit_code == 2
