"""The history outlives any crash: a writer is killed with SIGKILL at random instants, and everything it had written is read back.

What it had written is known from a channel of its own (see `writer`), so that a lost record would be seen; and two writers with a
planted defect show that it is.
"""

import contextlib
import os
import subprocess
import sys
from random import Random

import pytest

from jobharness.agent import record
from jobharness.history import log
from jobharness.runner.surroundings import AGENT_PATH
from tests.agent.crashes import crash, damage

pytestmark = pytest.mark.real

KILLS = 200


@pytest.mark.parametrize("part", range(4))
def test_killed_writer_has_lost_no_record_and_torn_none(tmp_path, part):
    """200 kills in four parts: one thread and three, in small files (so that many kills meet the change of files) and in usual ones."""
    threads, slots = (1, 3)[part % 2], (16, record.SLOTS)[part // 2]
    random = Random(part)
    torn = 0
    for kill in range(KILLS // 4):
        folder = tmp_path / str(kill)
        proven = crash(folder, "shipped", threads, slots, random.randrange(1, 1500))
        assert damage(folder, proven) == [], f"kill {kill} of part {part}"
        history = log.gather(folder, {})
        assert len(history) >= sum(proven)
        torn += history.header["torn"]
        # What was cut off is at most the one record that each thread had under way.
        assert history.header["torn"] <= threads
    print(
        f"\n{KILLS // 4} kills, {threads} threads, {slots} slots a file: nothing lost, {torn} records cut off before they were whole"
    )


@pytest.mark.parametrize("defect", ["buffered", "commit-first"])
def test_writer_with_a_planted_defect_is_caught(tmp_path, defect):
    random = Random(defect)
    caught = 0
    for kill in range(12):
        folder = tmp_path / str(kill)
        proven = crash(folder, defect, 1, record.SLOTS, random.randrange(1, 1500))
        caught += bool(damage(folder, proven))
    assert caught >= 3, f"only {caught} of 12 kills showed the defect {defect!r}"


def test_killed_fork_loses_nothing_and_its_parent_goes_on(tmp_path):
    code = """
import os, signal
from jobharness_agent import boot
record = boot.recorder.record
record(11, value=1)
child = os.fork()
if child == 0:
    for number in range(100):
        record(11, value=1000 + number)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
record(11, value=2)
"""
    environment = {"PYTHONPATH": str(AGENT_PATH), "JOBHARNESS_HISTORY": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    values = log.gather(tmp_path, {}).events["value"].to_list()
    assert sorted(values) == [1, 2, *range(1000, 1100)]
    with contextlib.suppress(StopIteration):
        assert not next(tmp_path.glob("*.new")), "a file was left half made"
