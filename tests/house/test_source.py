"""How the source is kept: the agent is an island, names are public on purpose, functions and files keep their size, kinds are in the README."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from jobharness import catalog

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jobharness"
AGENT = PACKAGE / "agent"
FILES = sorted(PACKAGE.rglob("*.py"))

MOST_LINES_OF_A_FUNCTION = 70
MOST_LINES_OF_A_FILE = 500
# What an app's own libraries are called: the agent's modules for them import them, and nothing else does. `redirect` is for the HTTP
# clients that the app may have, `moved_clock` for freezegun, which is carried to it.
LIBRARY_MODULES = sorted([*(AGENT / "libraries").glob("*.py"), AGENT / "redirect.py", AGENT / "moved_clock.py"])


def name_of(path):
    return str(path.relative_to(ROOT))


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_by(tree):
    """`(line, top-level module)` of every absolute import, those within functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.lineno, (node.module or "").partition(".")[0]


def foreign_imports(path):
    """Imports of an agent's file that are neither of the standard library nor relative."""
    known = sys.stdlib_module_names | {"jobharness_agent"}
    return [f"{name_of(path)}:{line} imports {module}" for line, module in imported_by(tree_of(path)) if module not in known]


@pytest.mark.parametrize("path", [path for path in sorted(AGENT.rglob("*.py")) if path not in LIBRARY_MODULES], ids=name_of)
def test_agent_imports_the_standard_library_alone(path):
    assert foreign_imports(path) == []


@pytest.mark.parametrize("path", LIBRARY_MODULES, ids=name_of)
def test_module_for_a_library_imports_nothing_foreign_before_it_is_asked_to(path):
    """It may import the app's own libraries inside its functions, once the app has them; never when it is loaded."""
    at_load = [node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
    known = sys.stdlib_module_names | {"jobharness_agent"}
    assert [module for node in at_load for _, module in imported_by(node) if module not in known] == []
    assert not [module for _, module in imported_by(tree_of(path)) if module == "jobharness"]


@pytest.mark.parametrize("path", sorted(AGENT.rglob("*.py")), ids=name_of)
def test_agent_keeps_to_the_grammar_of_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_foreign_import_or_newer_grammar_would_be_seen(tmp_path):
    """The two defects that the checks above are there for."""
    with pytest.raises(SyntaxError):
        ast.parse("match x:\n    case 1: pass\n", feature_version=(3, 8))
    assert [module for _, module in imported_by(ast.parse("def f():\n    from psutil import Process\n"))] == ["psutil"]


# Started with -m, or read by another Python; not a place of public names.
WITHOUT_NAMES = {"sitecustomize", "__main__"}
PUBLIC = [path for path in FILES if path.stem not in WITHOUT_NAMES and not path.is_relative_to(AGENT)]


def unlisted_names(path):
    """What another file imports of this one and its `__all__` lacks, or may not have."""
    tree = tree_of(path)
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"]
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    own = module_of(path)
    taken = {alias for other, module, alias in IMPORTS if module == own and other != path}
    listed = [element.value for node in assigned for element in node.value.elts]
    yield from (f"{name_of(path)}: {name} is private, and imported elsewhere" for name in sorted(taken) if is_private(name))
    yield from (
        f"{name_of(path)}: {name} is imported elsewhere, and not in __all__" for name in sorted(taken & defined - {*listed})
    )
    yield from (f"{name_of(path)}: {name} is private, and in __all__" for name in listed if is_private(name))


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def test_public_names_are_listed_completely():
    """Every class, function and constant that another file imports stands in `__all__`; the linter sorts it."""
    assert [words for path in PUBLIC for words in unlisted_names(path)] == []


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


IMPORTS = [
    (path, node.module, alias.name)
    for path in FILES
    for node in ast.walk(tree_of(path))
    if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("jobharness")
    for alias in node.names
]


# Locust patches sockets and threads of whoever imports it (gevent): not in the process of the tests.
PATCHES_THE_PROCESS = {
    "jobharness.staging",
    *(module_of(path) for path in FILES if any(module in ("gevent", "locust") for _, module in imported_by(tree_of(path)))),
}


IMPORTED = {"jobharness", *(module for _, module, _ in IMPORTS if module.partition(".")[0] == "jobharness")}


def test_every_listed_name_is_there():
    modules = [importlib.import_module(name) for name in sorted(IMPORTED - PATCHES_THE_PROCESS)]
    listed = [(module, name) for module in modules for name in getattr(module, "__all__", [])]
    assert len(listed) > len(modules)
    assert [f"{module.__name__}.{name}" for module, name in listed if not hasattr(module, name)] == []


def test_every_listed_name_is_there_of_what_patches_the_process():
    look = "import sys, importlib; modules = map(importlib.import_module, sys.argv[1:])"
    look += "; print([f'{module.__name__}.{name}' for module in modules for name in module.__all__ if not hasattr(module, name)])"
    env = {**os.environ, "JOBHARNESS_PLAN": "plan.jsonl"}  # Without which the locustfile of a run is none.
    names = sorted(IMPORTED & PATCHES_THE_PROCESS)
    done = subprocess.run([sys.executable, "-c", look, *names], check=True, capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "[]", "listed, and not there"


def long_functions(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            # A function that only holds others (the signal handlers of a library) is as long as they are many.
            inner = sum(
                child.end_lineno - child.lineno + 1
                for child in node.body
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            )
            if length - inner > MOST_LINES_OF_A_FUNCTION:
                yield f"{name_of(path)}:{node.lineno} {node.name} has {length - inner} lines"


def test_functions_can_be_read_without_scrolling():
    assert [words for path in FILES for words in long_functions(path)] == []


def untold(path):
    """What a file's docstring should say, and does not."""
    lines = path.read_text(encoding="utf-8").count("\n")
    docstring = ast.get_docstring(tree_of(path)) or ""
    if path.stem != "__main__" and not docstring:
        yield f"{name_of(path)} does not say what it is for"
    if lines > MOST_LINES_OF_A_FILE and "one subject" not in docstring:
        yield f"{name_of(path)} has {lines} lines; its docstring must say why it is one subject"


def test_long_file_states_why_it_is_one_subject():
    assert [words for path in FILES for words in untold(path)] == []


def test_there_is_no_file_called_utils():
    assert [name_of(path) for path in FILES if path.stem in {"utils", "util", "helpers", "misc", "common"}] == []


def test_each_rule_sees_the_file_that_breaks_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    long, silent = tmp_path / "long.py", tmp_path / "silent.py"
    long.write_text('"""Much."""\n\n\ndef much():\n' + "    print()\n" * MOST_LINES_OF_A_FILE, encoding="utf-8")
    silent.write_text("__all__ = ['_own']\n", encoding="utf-8")
    assert [words.partition(" has ")[0] for words in long_functions(long)] == ["long.py:4 much"]
    assert list(untold(long)) == ["long.py has 504 lines; its docstring must say why it is one subject"]
    assert list(untold(silent)) == ["silent.py does not say what it is for"]
    assert list(unlisted_names(silent)) == ["silent.py: _own is private, and in __all__"]


@pytest.mark.parametrize("group", ["QUEUES", "BROKERS", "FAULTS", "DELIVERIES"])
def test_every_kind_is_named_in_the_readme(group):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in getattr(catalog, group) if f"`{name}`" not in readme]
    assert not missing, f"README.md does not name these {group.lower()}: {', '.join(missing)}"


@pytest.mark.parametrize("group", ["QUEUES", "BROKERS", "FAULTS", "DELIVERIES"])
def test_every_kind_of_the_catalog_is_there(group):
    for name, home in getattr(catalog, group).items():
        module, _, attribute = home.partition(":")
        module = module if module.startswith("jobharness.") else f"jobharness.contracts.{module}"
        assert hasattr(importlib.import_module(module), attribute), f"{name}: {home}"


HEAVY = (
    "polars",
    "numpy",
    "plotly",
    "faker",
    "hypothesis",
    "locust",
    "celery",
    "redis",
    "psutil",
    "pydantic",
    "rich",
    "typer",
    "jinja2",
    "uvicorn",
)


def test_plugin_imports_nothing_heavy():
    """pytest loads the plugin in every project, whether the project asked for it or not."""
    code = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "from importlib.metadata import entry_points\n"
        "(entry,) = [e for e in entry_points(group='pytest11') if e.name == 'jobharness']\n"
        "entry.load()\n"
        "print(' '.join(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "jobharness" in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("name", ["jobharness.wire.proxy", "jobharness.upstream.api", "jobharness.processes.guardian"])
def test_a_process_beside_the_workers_imports_no_tables(name):
    """It is started once a run, and once a trial of a crash map: what it imports is most of what it costs."""
    code = (
        f"import sys, {name}; print(*(name for name in ('polars', 'numpy', 'scipy', 'faker', 'plotly') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


PLANTED = {
    "clock.py": "import jobharness.processes.process",
    "errors.py": "import redis",
    "contracts/observed.py": "import subprocess",
    "agent/record.py": "import psutil",
}


def test_planted_imports_that_go_up_are_refused(tmp_path):
    """The layer check sees what it is there for: in a copy of the tree one import is planted for each of its rules."""
    shutil.copytree(PACKAGE, tmp_path / "jobharness", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file, line in PLANTED.items():
        path = tmp_path / "jobharness" / file
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    # The copy must be what is read, not the package that this environment has.
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    assert [rule["name"] for rule in rules if f"{rule['name']} BROKEN" not in done.stdout] == [], done.stdout
