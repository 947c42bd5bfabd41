"""Writes what the documentation takes from the code: run by `make docs`; a test of the house says when it was forgotten.

A block between `<!-- NAME:begin -->` and `<!-- NAME:end -->` is replaced; the rest of a page is written by hand.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

from jobharness.agent import record
from jobharness.catalog import CONTRACTS, DELIVERIES, QUEUES, names, queue_kind
from jobharness.history.event import DESCRIPTIONS
from jobharness.metrics.names import markdown
from jobharness.scenario.arrivals import NEEDS
from jobharness.workload.arrivals import PROCESSES

ROOT = Path(__file__).parents[1]


def record_layout() -> str:
    """The layout of a record, as its one home says it."""
    assert record.__doc__ is not None
    return "```text\n" + record.__doc__.strip() + "\n```"


def events() -> str:
    """Every kind of event with its number and its meaning."""
    rows = [f"| {int(kind)} | `{kind.name_}` | {said} |" for kind, said in DESCRIPTIONS.items()]
    return "\n".join(["| number | event | written by: what it says |", "| --- | --- | --- |", *rows])


def metrics() -> str:
    """Every metric with its published name, its unit and its meaning."""
    return markdown()


def contracts() -> str:
    """Every promise with what is needed to decide it, and where its meaning stands."""
    rows = ["| key of `[contract]` | promise | needs |", "| --- | --- | --- |"]
    for key, (name, _) in {**{f"delivery = {d}": (n, None) for d, n in DELIVERIES.items()}, **CONTRACTS}.items():
        module, _, attribute = name.partition(":")
        kind = getattr(importlib.import_module(f"jobharness.contracts.{module}"), attribute)
        needs = ", ".join(f"`{need}`" for need in sorted(one.name_ for one in kind.needs))
        said = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
        rows.append(f"| `{key}` | {said} | {needs} |")
    return "\n".join(rows)


def shapes() -> str:
    """By what means each library sends what is more than one job, and what its periodic entries are called."""
    rows = ["| library | chain | group | chord | an entry of its schedule |", "| --- | --- | --- | --- | --- |"]
    for name in names("queues", QUEUES):
        kind = queue_kind(name)
        means, ticks = getattr(kind, "shapes", {}), getattr(kind, "ticks", "")
        if means or ticks:
            rows.append(
                f"| {name} | " + " | ".join([*(means.get(shape, "") for shape in ("chain", "group", "chord")), ticks]) + " |"
            )
    return "\n".join(rows)


def arrivals() -> str:
    """Every arrival process with the keys that it takes and what it does."""
    rows = ["| process | needs | may have | arrivals |", "| --- | --- | --- | --- |"]
    for name, (must, may) in NEEDS.items():
        keys = [", ".join(f"`{key}`" for key in keys) for keys in (must, may)]
        rows.append(f"| `{name}` | {keys[0]} | {keys[1]} | {' '.join((PROCESSES[name].__doc__ or '').split())} |")
    return "\n".join(rows)


def sample() -> str:
    """The summary of the sample run, as its command printed it."""
    path = ROOT / "reports" / "sample" / "summary.txt"
    return "```text\n" + path.read_text(encoding="utf-8").strip("\n") + "\n```" if path.exists() else ""


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"sample": sample},
    "docs/contracts.md": {"contracts": contracts},
    "docs/workloads.md": {"arrivals": arrivals, "shapes": shapes},
    "docs/metrics.md": {"metrics": metrics},
    "docs/agent.md": {"record": record_layout, "events": events},
}


def rendered(page: str) -> str:
    """The page with its blocks as they should be."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, make in PAGES[page].items():
        block = re.compile(f"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        content = make()
        text = block.sub(lambda match: match[1] + (content + "\n" if content else "") + match[2], text)  # noqa: B023  # used at once
    return text


def main() -> int:
    """Write every page; with `--check`, only say which would change."""
    stale = [page for page in PAGES if rendered(page) != (ROOT / page).read_text(encoding="utf-8")]
    if "--check" in sys.argv:
        sys.stdout.writelines(f"{page} is out of date; run: make docs\n" for page in stale)
        return 1 if stale else 0
    for page in stale:
        (ROOT / page).write_text(rendered(page), encoding="utf-8")
        sys.stdout.write(f"wrote {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
