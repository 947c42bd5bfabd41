"""The commands of docs/before-after.md, run one after the other in a project, end as the page says."""

import re
import shlex
from pathlib import Path

import pytest

from jobharness.compare.ab import fewest_for

PAGE = (Path(__file__).parents[2] / "docs" / "before-after.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.real


def commands():
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            command, _, comment = line.removeprefix("$ ").partition("#")
            code = re.search(r"exit code (\d)", comment)
            yield shlex.split(command), int(code[1]) if code else 0


def test_commands_of_the_page_end_as_it_says(shop):
    shop.write("shop.py", (shop.folder / "shop.py").read_text() + "\n# a change\n")
    ran = list(commands())
    assert len(ran) == 6
    for (tool, *words), code in ran:
        done = shop.jobharness(*words) if tool == "jobharness" else shop.run("pytest", *words)
        assert done.returncode == code, f"{tool} {words}\n{done.stdout}{done.stderr}"


def test_page_says_how_many_runs_a_gate_takes():
    assert f"at least {fewest_for({}, paired=True)}, and adds to them" in PAGE
    assert f"at least {fewest_for({}, paired=False)} runs of each" in " ".join(PAGE.split())
