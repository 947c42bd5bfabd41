"""The harness is killed by SIGKILL at fifty random instants, and what its faults did to the machine is undone all the same."""

import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import pytest

from jobharness.history.event import Kind
from jobharness.history.follow import Follower
from jobharness.history.log import gather
from jobharness.processes.disk import may_mount
from jobharness.processes.process import wait_for
from tests.support.leftovers import leftovers, mounts_in, stopped

pytestmark = pytest.mark.real

INSTANTS = 50
AT_ONCE = 5
LOOK_S = 0.02
MOMENTS = ((None, 9), (None, 9), (None, 9), ("", 3), ("pause", 0.9))  # From when on, and within how many seconds.
GONE_WITHIN_S = 20  # On a machine that is busy with five runs.


class Doomed:
    """A run that is killed within `at_most_s` of when a fault of the kind `awaits` struck ("": any; None: within that of its start)."""

    def __init__(self, harness, reports, awaits):
        self.harness, self.reports, self._awaits = harness, reports, awaits
        self._follower = None

    def live(self, for_s):
        """Until its instant has come, or it has ended before."""
        while self._awaits is not None and self.harness.poll() is None and not self._struck():
            time.sleep(LOOK_S)
        with suppress(subprocess.TimeoutExpired):
            self.harness.wait(for_s)

    def _struck(self):
        return any(one.kind is Kind.FAULT_BEGIN and one.text.startswith(self._awaits) for one in self._news())

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

    def doom(number):
        reports, random, (awaits, at_most_s) = f"reports-{number}-", Random(number), MOMENTS[number % len(MOMENTS)]
        run = Doomed(start(reports), project / reports, awaits)
        run.live(random.uniform(0.0, at_most_s))
        seen = Counter(stopped=bool(stopped(str(run.reports))), mounted=bool(mounts_in(run.reports)))
        run.harness.kill()
        run.harness.wait()
        met = Counter(run.open_faults())
        assert wait_for(lambda: not leftovers(str(run.reports)) and not mounts_in(run.reports), GONE_WITHIN_S), reports
        # No clock file is left, and nothing else: the folder is empty where it was killed before it had a guardian.
        assert not list(run.reports.glob("*/data/*"))
        return met, seen

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(doom, range(INSTANTS)))
    met, seen = (sum(counts, Counter()) for counts in zip(*ended, strict=True))
    print(f"\nopen when it was killed: {dict(met)}; seen just before: {dict(seen)}")
    assert set(met) >= {"pause", "latency", "upstream", "clock", "task", *(["disk"] if may_mount() else [])}, met
    assert seen["stopped"] and (seen["mounted"] or not may_mount()), seen
