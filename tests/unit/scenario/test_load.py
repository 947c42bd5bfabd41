"""A scenario file is read as it was meant, or refused with the file, the key, what was expected and the nearest name."""

import tomllib
from pathlib import Path

import pytest

from jobharness.errors import ScenarioInvalid
from jobharness.scenario.load import load_scenario
from jobharness.scenario.model import Scenario

ROOT = Path(__file__).parents[3]

SMALLEST = """
title = "The smallest scenario"
[queue]
adapter = "celery"
app = "shop:app"
[broker]
kind = "redis"
[workload]
arrivals = { rate = "5/s" }
duration = "1s"
[[workload.job]]
task = "shop.charge"
"""

EVERYTHING_USUAL = """
title    = "A worker is killed in the middle of a job"
owner    = "payments"
expected = "every job takes effect at least once, within 30 s of the crash"
rollback = "set task_acks_late = false and redeploy"

[queue]
adapter = "celery"
app     = "scenarios.apps.celery_shop:app"
workers = 2
env     = { CELERY_BROKER_URL = "{broker.url}" }

[broker]
kind = "redis"                  # provider: url > installed binary > embedded wheel > container

[workload]
arrivals = { process = "poisson", rate = "50/s" }
duration = "10s"
[[workload.job]]
task   = "scenarios.apps.celery_shop.charge"
weight = 3
kwargs = { order_id = "{faker.uuid4}", amount = "{faker.pyint}" }

[[fault]]
kind   = "kill"
target = "worker"
on     = "job.running"
times  = 3

[contract]
delivery     = "at-least-once"
recovery     = "30s"
max_attempts = 4

[gate]
"latency.p95" = { max = "500ms", regress = "10%" }
"""


@pytest.fixture
def load(tmp_path):
    """Writes a scenario file and loads it."""

    def write_and_load(text):
        path = tmp_path / "scenario.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_scenario(path)

    return write_and_load


def test_smallest_scenario_has_sensible_rest(load):
    scenario = load(SMALLEST)
    assert (scenario.seed, scenario.queue.workers, scenario.queue.restart, scenario.fault) == (1, 1, "always", ())
    assert (scenario.workload.arrivals.process, scenario.workload.arrivals.rate, scenario.workload.duration) == (
        "poisson",
        5.0,
        1.0,
    )


def test_usual_scenario_is_read_in_base_units(load):
    scenario = load(EVERYTHING_USUAL)
    assert scenario.contract.recovery == 30.0 and scenario.gate["latency.p95"].max == 0.5
    assert scenario.gate["latency.p95"].regress == pytest.approx(0.1)
    (fault,) = scenario.fault
    assert (fault.kind, fault.on, fault.times, fault.details) == ("kill", "job.running", 3, {"target": "worker"})


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").rglob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_of_the_library_loads(path):
    assert load_scenario(path).title


def test_python_and_toml_are_the_same_model():
    plain = tomllib.loads(SMALLEST)
    assert Scenario.model_validate(plain) == Scenario(**plain)


MISTAKES = [
    ("title = ", "titel = ", ["titel: unknown key; did you mean 'title'? (known here: ", "title: is missing"]),
    ('app = "shop:app"', 'app = "shop:app"\nwokers = 3', ["queue.wokers: unknown key; did you mean 'workers'?"]),
    ('app = "shop:app"', "", ["queue.app: is missing"]),
    ('app = "shop:app"', 'app = ""', ["queue.app: must not be empty"]),
    ('app = "shop:app"', 'app = "shop:app"\nworkers = "three"', ["queue.workers: must be a whole number, not 'three'"]),
    ('app = "shop:app"', 'app = "shop:app"\nworkers = 0', ["queue.workers: must be at least 1, not 0"]),
    ('app = "shop:app"', 'app = "shop:app"\nrestart = "alway"', ["queue.restart: must be 'always', 'on-failure' or 'never', not 'alway'; did you mean 'always'?"]),
    ('duration = "1s"', 'duration = "soon"', ["workload.duration: 'soon' is not a duration; write a number with its unit"]),
    ('duration = "1s"', "duration = 5", ["workload.duration: 5 is not a duration"]),
    ('duration = "1s"', 'duration = "0s"', ["workload.duration: must be more than 0, not 0.0"]),
    ('rate = "5/s"', 'rate = "fast"', ["workload.arrivals.rate: 'fast' is not a rate", '"50/s"']),
    ('rate = "5/s"', 'rate = "5/s", process = "possion"', ["workload.arrivals.process: must be 'constant', 'poisson',", "not 'possion'; did you mean 'poisson'?"]),
    ('task = "shop.charge"', 'task = "shop.charge"\nkwarg = {}', ["workload.job[0].kwarg: unknown key; did you mean 'kwargs'?"]),
    ('task = "shop.charge"', 'weight = 2', ["workload.job[0]: a job has one of `task`, `post`, `chain` and `group`"]),
    ('task = "shop.charge"', 'task = "shop.charge"\nweight = 0', ["workload: every job has weight 0"]),
    ('task = "shop.charge"', 'post = "/orders"', ["a job is sent by `post`, but the scenario has no [service]"]),
    ('task = "shop.charge"', 'task = "shop.charge"\n[[fault]]\nkind = "kill"', ["fault[0]: a fault needs a trigger", 'on = "job.running"']),
    ('task = "shop.charge"', 'task = "shop.charge"\n[contract]\ndelivery = "at-last-once"', ["contract.delivery: must be ", "did you mean 'at-least-once'?"]),
    ('task = "shop.charge"', 'task = "shop.charge"\n[gate]\nthroughput = {}', ["gate.throughput: a gate needs max, min or regress"]),
    ('task = "shop.charge"', 'task = "shop.charge"\n[brokr]\nkind = "redis"', ["brokr: unknown key; did you mean 'broker'?"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    MISTAKES,
    ids=[expected[0].split(":")[0] + f"-{number}" for number, (_, _, expected) in enumerate(MISTAKES)],
)
def test_mistake_names_file_key_expectation_and_nearest_name(load, tmp_path, old, new, expected):
    assert SMALLEST.count(old) == 1
    with pytest.raises(ScenarioInvalid) as caught:
        load(SMALLEST.replace(old, new))
    message = str(caught.value)
    assert all(line.startswith(f"{tmp_path / 'scenario.toml'}: ") for line in message.splitlines())
    assert all(words in message for words in expected), message


def test_every_mistake_has_its_own_line(load):
    with pytest.raises(ScenarioInvalid) as caught:
        load(SMALLEST.replace('app = "shop:app"', "wokers = 3").replace('"1s"', '"soon"'))
    assert len(str(caught.value).splitlines()) == 3
    assert caught.value.key == "queue.app"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty; a scenario needs at least title, [queue], [broker] and [workload]"),
        ("  \n\n", "is empty"),
        ('title = "Grüße"'.encode("latin-1"), "is not UTF-8 (byte 11); save it as UTF-8"),
        ("title = [", "is not TOML: "),
        ('title = "a"\ntitle = "b"', "is not TOML: "),
    ],
)
def test_file_that_is_no_scenario_is_refused_in_one_line(load, content, words):
    with pytest.raises(ScenarioInvalid) as caught:
        load(content)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(ScenarioInvalid, match="there is no such file"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(ScenarioInvalid, match="cannot be read: Is a directory"):
        load_scenario(tmp_path)


def test_changes_are_laid_over_and_validated_again(load):
    scenario = load(SMALLEST)
    changed = scenario.with_(workers=4, seed=9, workload__duration="2s", broker__port=7000)
    assert (changed.queue.workers, changed.seed, changed.workload.duration, changed.broker.port) == (4, 9, 2.0, 7000)
    assert scenario.queue.workers == 1
    with pytest.raises(ValueError, match=r"queue\.workers"):
        scenario.with_(workers=0)
    with pytest.raises(ValueError, match="workrs"):
        scenario.with_(workrs=2)
