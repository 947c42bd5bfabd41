"""How many workers may exit, on histories written by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.workers_stay_up import WorkersStayUp
from tests.histories import history

STARTED = "0.0 harness worker.started - text=worker-1 value=7\n0.0 harness worker.started - text=worker-2 value=8\n"
EXIT = "1.0 harness worker.exited - text=worker-1 value=1\n"


@pytest.mark.parametrize(
    ("what", "lines", "allowed", "word", "sentence"),
    [
        ("none exits", STARTED, 0, Word.HOLDS, "none of 2 workers exited unprovoked"),
        ("none exits, one may", STARTED, 1, Word.HOLDS, "none of 2 workers exited unprovoked"),
        ("one exits, and may", STARTED + EXIT, 1, Word.HOLDS, "1 exits, no more"),
        ("one exits", STARTED + EXIT, 0, Word.BROKEN, "1 workers exited, though no fault ended them"),
        ("two exit, one may", STARTED + EXIT + EXIT, 1, Word.BROKEN, "2 workers exited, though no fault ended them"),
    ],
)
def test_so_many_workers_may_exit(what, lines, allowed, word, sentence):
    finding = WorkersStayUp(allowed).check(history(lines))
    assert (finding.word, finding.sentence) == (word, sentence), what
    assert finding.counts == {"started": 2, "exits": lines.count("worker.exited")}


def test_an_exit_that_was_seen_counts_though_the_run_was_cut_short():
    assert WorkersStayUp().check(history(STARTED + EXIT + "2.0 harness run.cut_short -")).word is Word.BROKEN
