"""Invariants of the app's data: whole findings by hand."""

import pytest

from jobharness.contracts.contract import Word
from jobharness.contracts.invariant import InvariantHolds
from tests.histories import history

CHARGED = InvariantHolds("no order is charged twice")
LOOKED = '{at} harness invariant.checked - value={value} task="no order is charged twice" text="{text}"\n'
CASES = {
    "right": (LOOKED.format(at=9, value=0, text=""), Word.HOLDS, "nothing wrong was found"),
    "wrong": (LOOKED.format(at=9, value=2, text="o-1; o-7"), Word.BROKEN, "2 found: o-1; o-7"),
    "unreadable": (LOOKED.format(at=9, value=-1, text="no such table"), Word.UNKNOWN, "it could not be checked: no such table"),
    "not looked at": ("1.0 harness run.phase - text=drain\n", Word.UNKNOWN, "it was not looked at"),
    "another's": ('9.0 harness invariant.checked - value=3 task="another" text=x\n', Word.UNKNOWN, "it was not looked at"),
    "last look counts": (
        LOOKED.format(at=8, value=1, text="o-1") + LOOKED.format(at=9, value=0, text=""),
        Word.HOLDS,
        "nothing wrong was found",
    ),
    "cut short": (
        LOOKED.format(at=8, value=0, text="") + "9.0 harness run.cut_short - text=interrupted\n",
        Word.UNKNOWN,
        "the run was cut short before the queue had drained",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_invariant(name):
    lines, word, sentence = CASES[name]
    finding = CHARGED.check(history(lines))
    assert (finding.contract, finding.word, finding.sentence) == ("invariant no order is charged twice", word, sentence)
    assert finding.offenders.height == (word is Word.BROKEN)


@pytest.mark.parametrize(("value", "wrong"), [(3, 3), (1, 1), (0, 0), (-1, 0)])
def test_what_is_wrong_is_counted(value, wrong):
    assert CHARGED.check(history(LOOKED.format(at=9, value=value, text="o-1"))).counts == {"wrong": wrong}
