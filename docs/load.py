"""Writes what a load test came to into docs/staging.md, from the folder of its run: run by `make load`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from jobharness.metrics.metric import Metric

PAGE = Path(__file__).resolve().parent / "staging.md"
SHOWN = (
    "jobs.acknowledged", "jobs.completed", "jobs.lost", "jobs.duplicated", "latency.p50", "latency.p95", "latency.p99",
    "recovery.max", "throughput", "producer.late", "producer.lateness.max",
)  # fmt: skip


def told(folder: Path) -> str:
    """The run's date and versions, its verdict, its metrics, and Locust's lines, as Markdown."""

    def read(name: str) -> Any:
        return json.loads((folder / name).read_text(encoding="utf-8"))

    run, verdict, metrics = read("run.json"), read("verdict.json"), read("metrics.json")
    versions, machine = run["versions"], run["machine"]
    lines = [
        f"`{verdict['repeat']}`, {run['finished_at'][:10]}, jobharness {versions['jobharness']} ({run['git']['commit'][:7]}), "
        f"Python {versions['python']}, {run['scenario']['queue']['adapter']} {versions['queue']}, "
        f"{run['broker'].split(' (')[0]}, {machine['cores']} cores, beside other work: exit code {verdict['exit_code']}.",
        "",
        "| promise | | |",
        "| --- | --- | --- |",
        *(f"| `{found['contract']}` | {found['word']} | {found['sentence']} |" for found in verdict["findings"]),
        "",
        "| metric | |",
        "| --- | --- |",
        *(f"| `{name}` | {Metric.of(name, metrics[name])} |" for name in SHOWN),
        "",
        "| Locust's line | requests | failures | mean | longest |",
        "| --- | --- | --- | --- | --- |",
        *(_locust(line) for line in sorted(read("locust.json"), key=lambda line: str(line["name"]))),
    ]
    return "\n".join(lines)


def _locust(line: dict[str, Any]) -> str:
    mean_ms = line["total_response_time"] / max(1, line["num_requests"])
    counts = f"{line['num_requests']} | {line['num_failures']}"
    return f"| `{line['method']} {line['name']}` | {counts} | {mean_ms:.1f} ms | {line['max_response_time'] / 1e3:.2f} s |"


def main() -> int:
    """Replace the block of the page."""
    block = re.compile("(<!-- load:begin -->\n).*?(<!-- load:end -->)", re.DOTALL)
    content = told(Path(sys.argv[1]))
    page = block.sub(lambda match: f"{match[1]}{content}\n{match[2]}", PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
