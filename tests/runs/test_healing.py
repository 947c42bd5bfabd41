"""The harness is killed by SIGKILL at fifty random instants, and what its faults did to the machine is undone all the same."""

import time
from collections import Counter
from random import Random

import pytest

from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.history.log import gather
from jobharness.processes.disk import may_mount
from tests.support.leftovers import leftovers, mounts_in, stopped

pytestmark = pytest.mark.real

INSTANTS = 50
AT_ONCE = 5
MOMENTS = ((None, 9), (None, 9), (None, 9), ("", 3), ("pause", 0.9))  # From when on, and within how many seconds.
GONE_WITHIN_S = 20  # On a machine that is busy with five runs.


class Doomed:
    """A run that will be killed `after_s` from now, or from when a fault of the kind `awaits` struck ("": any, None: from now)."""

    def __init__(self, harness, reports, after_s, awaits):
        self.harness, self.reports, self.after_s, self.awaits = harness, reports, after_s, awaits
        self.due = None if awaits is not None else time.monotonic() + after_s
        self._follower = None

    def is_due(self):
        """Whether its instant has come, or it has ended before."""
        if self.due is None and any(one.kind is Kind.FAULT_BEGIN and one.text.startswith(self.awaits) for one in self._news()):
            self.due = time.monotonic() + self.after_s
        return self.harness.poll() is not None or (self.due is not None and time.monotonic() >= self.due)

    def _news(self):
        for records in self.reports.glob("*/records"):
            self._follower = self._follower or Follower(records)
        try:
            return self._follower.poll() if self._follower is not None else []
        except OSError:
            return []  # It has come to its end, and saves its history.

    def open_faults(self):
        """The kinds of fault that have begun and not ended, by the records that it leaves."""
        counts = Counter()
        for records in self.reports.glob("*/records"):
            try:
                history = gather(records, {})
            except OSError:
                continue
            for row in history.of(Kind.FAULT_BEGIN, Kind.FAULT_END).collect().iter_rows(named=True):
                counts[history.text(row["text"])] += 1 if row["kind"] == Kind.FAULT_BEGIN else -1
        return {label.partition("#")[0] for label, count in counts.items() if count > 0}


def test_killed_harness_leaves_nothing_stopped_mounted_moved_or_running(project, start):
    """Five runs side by side, each killed at an instant of its own: three of five from their start, one from
    its first fault, one while, most likely, a worker is paused.

    In which faults they were is part of what is asserted: a check that never met one would prove nothing.
    """
    random, met, seen = Random(50), Counter(), Counter()
    to_come, running, healing = list(range(INSTANTS)), [], []
    while to_come or running or healing:
        while to_come and len(running) < AT_ONCE:
            number = to_come.pop(0)
            reports, (awaits, at_most_s) = f"reports-{number}-", MOMENTS[number % 5]
            running.append(Doomed(start(reports), project / reports, random.uniform(0.0, at_most_s), awaits))
        for run in [run for run in running if run.is_due()]:
            running.remove(run)
            seen["stopped"] += bool(stopped(str(run.reports)))
            seen["mounted"] += bool(mounts_in(run.reports))
            run.harness.kill()
            run.harness.wait()
            met.update(run.open_faults())
            healing.append((run, time.monotonic() + GONE_WITHIN_S))
        for run, deadline in list(healing):
            left = leftovers(str(run.reports)), mounts_in(run.reports)
            assert left == ([], []) or time.monotonic() < deadline, (run.reports.name, left)
            if left == ([], []):
                healing.remove((run, deadline))
                # No clock file is left, and nothing else: the folder is empty where it was killed before it had a guardian.
                assert not list(run.reports.glob("*/data/*"))
        time.sleep(0.02)
    print(f"\nopen when it was killed: {dict(met)}; seen just before: {dict(seen)}")
    assert set(met) >= {"pause", "latency", "upstream", "clock", "task", *(["disk"] if may_mount() else [])}, met
    assert seen["stopped"] and (seen["mounted"] or not may_mount()), seen
