"""What no start came near is judged by sorting one number for each; where such numbers do not fit, all the same."""

from __future__ import annotations

import pytest

from jobharness.contracts.finding import Word
from jobharness.contracts.rate_limit import RateLimit
from tests.histories import history

YEARS = 200


def started(*moments: tuple[float, str]) -> str:
    return "\n".join(f"{at:.9f}  worker-1  job.running  j{number} group={key}" for number, (at, key) in enumerate(moments))


@pytest.mark.parametrize(
    ("moments", "limit", "word"),
    [
        ([(0, "a"), (1, "a"), (2, "a")], 1, Word.HOLDS),  # Just a window apart.
        ([(0, "a"), (0.999999999, "a")], 1, Word.BROKEN),
        ([(0, "a"), (0.5, "b"), (1, "a"), (1.5, "b")], 1, Word.HOLDS),
        ([(1, "b"), (1.5, "a"), (2, "b")], 1, Word.HOLDS),  # The latest of one key and the earliest of the next.
        ([(0, "a"), (0.2, "a"), (0.4, "a")], 2, Word.BROKEN),
        ([(0, "a"), (0.2, "a")], 3, Word.HOLDS),  # Fewer than the limit, all in all.
        ([], 1, Word.UNKNOWN),
    ],
)
def test_starts_of_a_key_within_a_window_are_counted(moments, limit, word):
    assert RateLimit(limit, 1.0, "key").check(history(started(*moments))).word is word


@pytest.mark.parametrize(("second", "word"), [(0.5, Word.BROKEN), (1.5, Word.HOLDS)])
def test_key_and_time_that_do_not_fit_into_one_number_are_judged_all_the_same(second, word):
    late = YEARS * 365.25 * 86400
    moments = [(0.0, "a"), (second, "a"), *((late, f"k{number}") for number in range(3))]
    found = RateLimit(1, 1.0, "key").check(history(started(*moments)))
    assert (found.word, found.counts["over"]) == (word, int(word is Word.BROKEN))
