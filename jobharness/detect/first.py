"""Writes a first scenario for an app that was found, and tells pytest where scenarios are. Never writes over a file."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from jobharness.detect.libraries import Found, Task

__all__ = ["Written", "write_first"]

SECTION = '[tool.pytest.ini_options]\njobharness_scenarios = ["scenarios"]\n'
WORDS = (
    ("email", "{faker.email}"), ("uuid", "{faker.uuid4}"), ("id", "{faker.uuid4}"), ("url", "{faker.url}"),
    ("phone", "{faker.phone_number}"), ("name", "{faker.name}"), ("currency", "{faker.currency_code}"),
    ("amount", "{faker.pyint}"), ("count", "{faker.pyint}"), ("number", "{faker.pyint}"), ("date", "{faker.date}"),
)  # fmt: skip
TYPES = {"int": "{faker.pyint}", "float": "{faker.pyfloat}", "bool": "{faker.pybool}"}
SETTINGS_WORDS = ("DATABASE", "POSTGRES", "DSN")


@dataclass(frozen=True)
class Written:
    """What was written, what was there already, and what is left for a person to do."""

    files: tuple[Path, ...]
    kept: tuple[Path, ...]
    advice: tuple[str, ...]


def write_first(found: Found, project: Path) -> Written:
    """`scenarios/worker_killed.toml`, and the pytest setting. Raises: OSError where the project cannot be written."""
    files: list[Path] = []
    kept: list[Path] = []
    advice: list[str] = []
    path = project / "scenarios" / "worker_killed.toml"
    if path.exists():
        kept.append(path)
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(scenario_for(found, project), encoding="utf-8")
        files.append(path)
    _tell_pytest(project, files, kept, advice)
    if not found.variables:
        advice.append(
            f"the app at {found.where} does not seem to read its broker's address from the environment: let it, and name the "
            "variable in queue.env of the scenario"
        )
    if not found.tasks:
        advice.append("no task was found: name one in workload.job of the scenario")
    return Written(tuple(files), tuple(kept), tuple(advice))


def _tell_pytest(project: Path, files: list[Path], kept: list[Path], advice: list[str]) -> None:
    pyproject = project / "pyproject.toml"
    others = [project / name for name in ("pytest.ini", "tox.ini", "setup.cfg") if (project / name).exists()]
    if any("jobharness_scenarios" in path.read_text(encoding="utf-8") for path in (*others, pyproject) if path.exists()):
        return
    if pyproject.exists() and not others:
        text = pyproject.read_text(encoding="utf-8")
        if "pytest" not in tomllib.loads(text).get("tool", {}):
            # A section is added behind what is there; nothing of it changes.
            pyproject.write_text(text.rstrip("\n") + "\n\n" + SECTION, encoding="utf-8")
            files.append(pyproject)
            return
    if others or pyproject.exists():
        place = others[0] if others else pyproject
        kept.append(place)
        line = 'jobharness_scenarios = ["scenarios"]' if place == pyproject else "jobharness_scenarios = scenarios"
        advice.append(f"add to the pytest section of {place.name}: {line}  (it is also the default)")
        return
    path = project / "pytest.ini"
    path.write_text("[pytest]\njobharness_scenarios = scenarios\n", encoding="utf-8")
    files.append(path)


def scenario_for(found: Found, project: Path) -> str:
    """The scenario as TOML: a worker is killed in the middle of a job."""
    task = found.tasks[0] if found.tasks else Task("my_app.my_task", ())
    folder = os.path.relpath(found.root, project)
    source_folder = found.root.name == "src"
    lines = [
        'title    = "A worker is killed in the middle of a job"',
        'owner    = ""',
        'expected = "every job takes effect at least once, within 30 s of the crash"',
        'rollback = ""',
        "",
        "[queue]",
        f'adapter = "{found.library}"',
        f"app     = {json.dumps(found.app)}  # {found.where}",
        "workers = 2",
    ]
    environment = {"PYTHONPATH": "src"} if source_folder else {"PYTHONPATH": "."} if found.library == "procrastinate" else {}
    environment |= dict.fromkeys(_about_broker(found), "{broker.url}")
    if environment:
        lines.append("env     = { " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in environment.items()) + " }")
    else:
        lines.append('# env   = { BROKER_URL = "{broker.url}" }  # the variable that the app reads its address from')
    if folder != "." and not source_folder:
        lines.append(f"folder  = {json.dumps(folder)}")
    lines += ["", "[broker]", f'kind = "{found.broker}"']
    lines += ["", "[workload]", 'arrivals = { process = "poisson", rate = "20/s" }', 'duration = "5s"']
    lines += ["", "[[workload.job]]", f"task   = {json.dumps(task.name)}"]
    if task.parameters:
        arguments = (f"{name} = {json.dumps(_argument(name, annotation))}" for name, annotation in task.parameters)
        lines.append("kwargs = { " + ", ".join(arguments) + " }")
    others = ", ".join(other.name for other in found.tasks[1:6])
    lines += [f"# also there: {others}"] if others else []
    lines += ["", "[[fault]]", 'kind   = "kill"', 'target = "worker"', 'on     = "job.running"', 'every  = "1s"', "times  = 3"]
    lines += ["", "[contract]", 'delivery = "at-least-once"', 'recovery = "30s"', ""]
    return "\n".join(lines)


def _about_broker(found: Found) -> list[str]:
    """Of the variables, those that name the broker's kind, or a broker at all; or else the first."""
    words = {"redis": ("REDIS",), "rabbitmq": ("AMQP", "RABBIT"), "nats": ("NATS",)}.get(found.broker, SETTINGS_WORDS)
    likely = [name for name in found.variables if any(word in name for word in (*words, "BROKER"))]
    return likely or list(found.variables[:1])


def _argument(name: str, annotation: str) -> str:
    if annotation in TYPES:
        return TYPES[annotation]
    return next((value for word, value in WORDS if word in name.lower()), "{faker.word}")
