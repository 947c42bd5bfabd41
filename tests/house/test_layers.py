"""Imports go down only (see [tool.importlinter] in pyproject.toml)."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_import_goes_down():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


SEAMS = {
    "brokers": {"abilities", "broker", "container", "provide", "server"},
    "queues": {"asking", "connections", "queue"},
    "faults": {"aside", "fault", "messages", "network", "revival", "trigger"},
}


def test_kinds_never_import_each_other():
    """A kind may import the seams, and nothing of another kind."""
    offences = []
    for room, seams in SEAMS.items():
        for path in (ROOT / "jobharness" / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("jobharness."):
                    continue
                _, target, *rest = node.module.split(".")
                if target in SEAMS and rest and rest[0] not in SEAMS[target] and path.stem not in seams:
                    offences.append(f"{room}/{path.name}:{node.lineno} imports {node.module}")
    assert not offences
