"""Draws comparisons from recorded runs and writes what the gate, and two simpler rules, said: `python -m tests.study.judge POOL PAGE`.

A comparison begins at a random round and takes the rounds that follow, as `jobharness ab` would have: pairs are added until it would
stop, or as many as its default budget allows. Which of two runs of one version is called before is decided by a coin, pair by pair.
"""

import json
import random
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy import stats

from jobharness.compare.ab import enough
from jobharness.metrics.judgement import judge_metrics
from jobharness.metrics.kept import kept_promises
from jobharness.metrics.metric import Metric

COMPARISONS = 200
LOSING_PAIRS = 5
BUDGET_S = 600
FIXED_PAIRS = 20
HEAD = """# Is the gate honest?

A gate that cries wolf is switched off, and one that stays silent is worse. So it was measured, on a machine that other programs kept busy:
two cores with a load average of {load:.0f} while the runs were made. `make gate-study` does it again, and writes this page.

## How

A pool of {runs} real runs of the [study's shop](../tests/study/shop.py) was recorded: a home-grown queue over SQLite, a worker process,
a producer process, 200 jobs a run, half of each job waiting and half of it computing. In each of {rounds} rounds two runs of the same
version and one whose tasks take 10% longer were made one right after the other, in a random order; in every fourth round also one that
loses 1 of its 200 jobs. A run took {run_s:.1f} s.{first}

From the pool {comparisons} comparisons of each kind were drawn. Each begins at a random round and takes the rounds that follow, as
`jobharness ab` would have. With `--runs auto` it stops where that would have stopped, and at the latest after {most} pairs, which is what the
default budget of ten minutes allows here; with `--runs {fixed}` after {fixed}. In a comparison of a version with itself, a coin decides for each
pair which run is called before, as it decides in a real one. Runs are shared between comparisons, of which only {auto_blocks} with `auto` and
{fixed_blocks} with `--runs {fixed}` have none in common. So the percentages say how each rule behaves on these runs; {comparisons}
comparisons with runs of their own would have been days of running, and would tell it with more certainty.

## What came of it

"Called" means: at least one of all metrics was called better or worse; or the simpler rule fired.

| rule | pairs | same version, called | 10% slower, called worse |
| --- | ---: | ---: | ---: |
"""
FIRST = """ The worker and the producer of every run went before the machine's
other programs, as with `nice -n -15`; else so busy a machine leaves *not enough evidence*, which it says."""

# The one figure of the page that is typed: the pool that it came from is gone.
PAST = """
## A past record: the same gate on a busier machine

This is not the first pool. An earlier one (by 2026-11-24), recorded without raised priority while the machine's load rose, was not kept; in
it the gate called only 11.5% of the comparisons with the slower version. That figure is a past record, which `make gate-study` does not
measure again. How much the gate sees depends on how quiet the machine is: "could have seen" in each comparison says how much that is.
"""


class Comparison:
    """Two sides, drawn from consecutive rounds until the rule of `auto` stops."""

    def __init__(self, rounds, start, coin, other, most, auto):
        self.before, self.after = [], []
        left, right = [], []
        for offset in range(most):
            one = rounds[(start + offset) % len(rounds)]
            first = one["same"] if coin.random() < 0.5 else one["again"]
            second = one["slower"] if other == "slower" else one["again"] if first is one["same"] else one["same"]
            self.before.append(first)
            self.after.append(second)
            left.append(first["measured"])
            right.append(second["measured"])
            if auto and enough(left, right, {}):
                break
        self.judged = judge_metrics(left, right, {}, paired=True)

    def called(self, *words):
        return {one.name for one in self.judged if one.word in words}

    def jobs(self, name):
        return (np.concatenate([run[name] for run in runs]) for runs in (self.before, self.after))

    def mean_rule(self, name, runs=None):
        """pytest-benchmark's mean:10%, on the jobs of all runs, or of the first few."""
        before, after = (np.concatenate([run[name] for run in side[:runs]]).mean() for side in (self.before, self.after))
        return bool(after > 1.10 * before)

    def t_test(self, name):
        """A two-sample t-test over the pooled jobs, as if they were independent: which way it calls, "" for not at all."""
        before, after = self.jobs(name)
        found = stats.ttest_ind(after, before, equal_var=False)
        return "" if found.pvalue >= 0.05 else "worse" if found.statistic > 0 else "better"


def study(rounds, most, coin):
    """The rows of the table, and how often each metric was called with `auto`."""
    rows = []
    for words, pairs, auto in ((f"--runs {FIXED_PAIRS}", FIXED_PAIRS, False), ("--runs auto", most, True)):
        drawn = {
            kind: [Comparison(rounds, coin.randrange(len(rounds)), coin, kind, pairs, auto) for _ in range(COMPARISONS)]
            for kind in ("again", "slower")
        }
        rows += _rows(drawn, f"`jobharness ab {words}`")
    return rows, {kind: Counter(name for one in found for name in one.called("better", "worse")) for kind, found in drawn.items()}


def _rows(drawn, name):
    """What each rule said of the same runs, as rows of the table."""
    same, slower = drawn["again"], drawn["slower"]
    mean = f"{np.mean([len(one.before) for one in same + slower]):.0f}"
    rules = {
        f"{name}, any metric": (mean, lambda one: one.called("better", "worse"), lambda one: one.called("worse")),
        "mean:10% of the run time, all runs": (mean, *[lambda one: one.mean_rule("run_time_us")] * 2),
        "mean:10% of the run time, one run a side": ("1", *[lambda one: one.mean_rule("run_time_us", 1)] * 2),
        "t-test of pooled run times, p < 0.05": (
            mean,
            lambda one: one.t_test("run_time_us"),
            lambda one: one.t_test("run_time_us") == "worse",
        ),
        "t-test of pooled latencies, p < 0.05": (
            mean,
            lambda one: one.t_test("latency_us"),
            lambda one: one.t_test("latency_us") == "worse",
        ),
    }
    return [
        f"| {rule} | {pairs} | {np.mean([bool(wrong(one)) for one in same]):.1%} | {np.mean([bool(right(one)) for one in slower]):.1%} |"
        for rule, (pairs, wrong, right) in rules.items()
    ]


def losses(rounds, coin):
    """How often a version that loses 1 job in 200 is called: its promise newly broken."""
    losing = [one for one in rounds if "losing" in one]
    called = 0
    for _ in range(COMPARISONS):
        start = coin.randrange(len(losing))
        chosen = [losing[(start + offset) % len(losing)] for offset in range(LOSING_PAIRS)]
        words = [
            [{name: "broken" if name in one[kind]["broken"] else "holds" for name in PROMISES} for one in chosen]
            for kind in ("same", "losing")
        ]
        called += any(kept.word == "newly broken" for kept in kept_promises(*words))
    return called


PROMISES = ("at_least_once", "no_phantoms")


def _told(one):
    """Whether every run of a round has a verdict; `ab` leaves such pairs out too."""
    return all(run["verdict"] in ("holds", "broken") for run in one.values())


def main(pool, page):
    """Write the page. A round that is not whole, or in which a run could not tell, is left out."""
    lines = [json.loads(line) for line in pool.read_text(encoding="utf-8").splitlines()]
    by_round = {}
    for line in lines:
        line["measured"] = {name: Metric.of(name, plain) for name, plain in line["metrics"].items()}
        by_round.setdefault(line["round"], {})[line["kind"]] = line
    rounds = [one for _, one in sorted(by_round.items()) if {"same", "again", "slower"} <= one.keys() and _told(one)]
    run_s, load = (float(np.mean([line[name] for line in lines])) for name in ("took_s", "load"))
    most = min(int(BUDGET_S / (2 * run_s)), len(rounds))
    coin = random.Random("the study of the gate")
    rows, called = study(rounds, most, coin)
    lost = losses(rounds, coin)
    head = HEAD.format(
        load=load,
        runs=len(lines),
        rounds=len(rounds),
        run_s=run_s,
        first=FIRST if all(line["first"] for line in lines) else "",
        comparisons=COMPARISONS,
        most=most,
        fixed=FIXED_PAIRS,
        auto_blocks=len(rounds) // most,
        fixed_blocks=len(rounds) // FIXED_PAIRS,
    )
    named = ", ".join(f"`{name}` {count}" for name, count in called["slower"].most_common()) or "none"
    wrong = ", ".join(f"`{name}` {count}" for name, count in called["again"].most_common()) or "none"
    tail = f"""
A version that loses 1 job in 200 was called (`at_least_once`: newly broken, exit code 1) in {lost} of {COMPARISONS} comparisons of
{LOSING_PAIRS} pairs. That needs no statistics: one run that lost an acknowledged job proves that this version can lose one.

With `--runs auto`, these metrics were called in the {COMPARISONS} comparisons with the slower version: {named}; in the {COMPARISONS} of one
version with itself: {wrong}.
{PAST}
Written on {datetime.now(UTC):%Y-%m-%d}.
"""
    page.write_text(head + "\n".join(rows) + "\n" + tail, encoding="utf-8")
    sys.stdout.write("\n".join(rows) + tail)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
