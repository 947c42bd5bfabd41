"""Runs that are kept, found again and compared: `--jobharness-save`, `--jobharness-compare`, `jobharness compare`."""

import json
import re

import pytest

pytestmark = pytest.mark.real


def test_runs_are_saved_and_later_ones_compared_with_them(shop):
    saved = shop.pytest("--jobharness-runs", "2", "--jobharness-save", "release-1")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    assert "2 runs saved as release-1: reports/baselines/release-1.json" in saved.stdout
    later = shop.pytest("--jobharness-runs", "2", "--jobharness-compare")
    assert later.returncode == 0, later.stdout + later.stderr
    assert "The shop's jobs: release-1 -> this session" in later.stdout
    assert "the noise floor is wider" in later.stdout
    by_ref = shop.jobharness("compare", "release-1", "main", "--markdown", "record.md")
    assert by_ref.returncode == 0, by_ref.stdout + by_ref.stderr
    # The ref has all four runs, those of the baseline too.
    assert "2 and 4 runs" in (shop.folder / "record.md").read_text()
    assert "The sides have 2 runs in common, which hide what differs" in " ".join(by_ref.stdout.split())
    other = shop.jobharness("ab", "shop.toml", "--before", ".", "--after", "workload.arrivals.jobs=20", "--runs", "2")
    assert "workload.arrivals.jobs" in other.stdout


def baseline(shop, name, runs, slower=1.0, **variables):
    """Saved runs, made from one real digest."""
    plain = json.loads((shop.folder / "reports/baselines/one.json").read_text())
    (one,) = plain["runs"]
    made = []
    for number in range(runs):
        run = json.loads(json.dumps(one))
        run["variables"].update(variables)
        for metric, figures in run["metrics"].items():
            if metric.startswith("latency") and figures["value"]:
                figures["value"] *= slower * (1 + number % 3 / 100)
        made.append(run)
    (shop.folder / f"reports/baselines/{name}.json").write_text(json.dumps({**plain, "name": name, "runs": made}))


def test_what_saved_runs_can_and_cannot_tell(shop):
    assert shop.pytest("--jobharness-save", "one").returncode == 0
    baseline(shop, "quick", 9)
    baseline(shop, "slow", 9, slower=1.5)
    baseline(shop, "elsewhere", 9, slower=1.2, machine={"cores": 96})
    baseline(shop, "other-work", 9, workload={"arrivals": {"process": "backlog", "jobs": 7}})
    crossed = shop.jobharness("compare", "quick", "slow", "--fail", "latency.p95:10%")
    assert crossed.returncode == 4, crossed.stdout + crossed.stderr
    assert re.search(r"gate crossed: latency.p95 is worse than before, by more than 10%", crossed.stdout)
    assert shop.jobharness("compare", "quick", "quick", "--fail", "latency.p95:10%").returncode == 0
    # Twenty percent between two machines is within what machines differ by.
    apart = shop.jobharness("compare", "quick", "elsewhere", "--fail", "latency.p95:10%")
    assert apart.returncode == 3, apart.stdout + apart.stderr
    assert "on different machines" in apart.stdout
    for words, said in {
        ("quick", "quikc"): "'quikc'. Did you mean 'quick'? Known: ",
        ("quick", "other-work"): "did not do the same work, so they cannot be compared: workload.arrivals.jobs: 50 and 7",
        ("quick", "one", "--fail", "latency.p95:10%"): "cannot be judged by 1 runs a side",
    }.items():
        refused = shop.jobharness("compare", *words)
        assert refused.returncode == 2, refused.stdout + refused.stderr
        assert said in refused.stderr
    few = shop.pytest("--jobharness-compare", "quick", "--jobharness-compare-fail", "latency.p95:10%")
    assert few.returncode == pytest.ExitCode.USAGE_ERROR
    assert "takes 8 runs of each scenario on either side, and here are 1" in few.stderr
    unknown = shop.pytest("--jobharness-compare", "nothing")
    assert unknown.returncode == pytest.ExitCode.USAGE_ERROR
    assert "elsewhere, one, other-work, quick, slow" in unknown.stderr
    newer = json.loads((shop.folder / "reports/baselines/one.json").read_text()) | {"schema": 99}
    (shop.folder / "reports/baselines/newer.json").write_text(json.dumps(newer))
    refused = shop.jobharness("compare", "newer", "quick")
    assert refused.returncode == 2
    assert "has schema 99; this version reads up to 1. Update jobharness." in refused.stderr
