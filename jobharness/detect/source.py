"""The modules of a project as syntax trees: what is imported, assigned, decorated and called in them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["Module", "constant_text", "modules_of"]

SKIPPED = {"venv", "env", "node_modules", "build", "dist", "site-packages", "migrations", "__pycache__", "tests", "test", "docs"}
BIGGEST_BYTES = 1_000_000
ADDRESS_WORDS = ("URL", "BROKER", "REDIS", "AMQP", "RABBIT", "DATABASE", "DSN", "NATS", "POSTGRES")


@dataclass(frozen=True)
class Module:
    """One source file. `root`: the folder that it is imported from; `name`: its dotted name there."""

    path: Path
    root: Path
    name: str
    tree: ast.Module

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: {"Celery": "celery.Celery", "rq": "rq"}. Relative imports are made absolute."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    found[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{self._absolute(node)}.{alias.name}"
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return ".".join(filter(None, (package, node.module)))

    def stands_for(self, node: ast.expr) -> str:
        """The dotted name that an expression such as `celery.Celery` or `Celery` stands for; "" for anything else."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, f"{self.name}.{node.id}")
        if isinstance(node, ast.Attribute):
            owner = self.stands_for(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    @cached_property
    def assigned(self) -> dict[str, ast.expr]:
        """The names that the module assigns at its top level, with what they are assigned."""
        found: dict[str, ast.expr] = {}
        for node in _top_level(self.tree.body):
            if isinstance(node, ast.Assign):
                found.update((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                found[node.target.id] = node.value
        return found

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function of the module, methods and inner ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """The classes at its top level."""
        return [node for node in _top_level(self.tree.body) if isinstance(node, ast.ClassDef)]

    @cached_property
    def texts(self) -> list[str]:
        """Every text in it."""
        return [node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]

    @cached_property
    def address_variables(self) -> list[str]:
        """The environment variables that it reads and that seem to hold an address, in the order of the source."""
        found = []
        for node in ast.walk(self.tree):
            name = None
            if isinstance(node, ast.Subscript) and self.stands_for(node.value) == "os.environ":
                name = constant_text(node.slice)
            elif isinstance(node, ast.Call) and node.args:
                called = self.stands_for(node.func).rpartition(".")[2]
                name = constant_text(node.args[0]) if called in ("get", "getenv", "env", "config", "str", "url") else None
            if name and name.isupper() and any(word in name for word in ADDRESS_WORDS) and name not in found:
                found.append(name)
        return found


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module that run at its import: those in `if`, `try` and `with` too."""
    for node in body:
        yield node
        for inner in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.If | ast.Try | ast.With):
                yield from _top_level(getattr(node, inner, []))


def constant_text(node: ast.expr | None) -> str | None:
    """The text that an expression is, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def modules_of(project: Path) -> list[Module]:
    """Every module of the project but its tests, environments and migrations; a file that does not parse is left out."""
    roots = sorted(_roots(project), key=lambda root: len(root.parts), reverse=True)
    found = []
    for path in _files(project):
        root = next(root for root in roots if path.is_relative_to(root))
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError, OSError):
            continue
        parts = path.relative_to(root).with_suffix("").parts
        found.append(Module(path, root, ".".join(parts[:-1] if parts[-1] == "__init__" else parts), tree))
    return found


def _roots(project: Path) -> set[Path]:
    """The folders that modules are imported from: the project, its `src`, and where a manage.py is."""
    roots = {project}
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if not _skipped(name)]
        place = Path(folder)
        if "manage.py" in files or (place.name == "src" and not (place / "__init__.py").exists()):
            roots.add(place)
    return roots


def _files(project: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(project):
        folders[:] = sorted(name for name in folders if not _skipped(name))
        for name in sorted(files):
            path = Path(folder) / name
            if name.endswith(".py") and not name.startswith("test_") and path.stat().st_size <= BIGGEST_BYTES:
                yield path


def _skipped(name: str) -> bool:
    return name.startswith((".", "venv")) or name in SKIPPED or name.endswith(".egg-info")
