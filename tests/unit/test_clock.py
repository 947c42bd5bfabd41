"""One clock for a machine."""

import subprocess
import sys

from jobharness.clock import NS_PER_S, deadline_ns, now_ns, seconds_between, utc_now


def test_moments_of_two_processes_are_in_the_order_in_which_they_were_taken():
    before = now_ns()
    there = int(
        subprocess.run([sys.executable, "-c", "import time; print(time.monotonic_ns())"], capture_output=True, check=True).stdout
    )
    assert before < there < now_ns()


def test_deadline_lies_the_timeout_ahead():
    before = now_ns()
    assert deadline_ns(2.5) - before >= 2.5 * NS_PER_S
    assert deadline_ns(-1) < now_ns()


def test_seconds_between_is_negative_when_the_end_comes_first():
    assert seconds_between(2 * NS_PER_S, 5 * NS_PER_S) == 3
    assert seconds_between(5 * NS_PER_S, 2 * NS_PER_S) == -3


def test_label_of_the_wall_clock_knows_its_zone():
    assert utc_now().tzinfo is not None
