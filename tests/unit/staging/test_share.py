"""Every row of a plan belongs to one share, and shares are alike."""

import json

import pytest

from jobharness.errors import InvalidRequest
from jobharness.staging.share import Share, plan_header, plan_rows


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.jsonl"
    rows = [{"app": "shop:app", "library": "celery"}, *({"at_ns": number} for number in range(10))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_shares_are_the_plan_and_no_row_twice(plan):
    shares = [[row["at_ns"] for row in plan_rows(plan, Share(number, 4))] for number in (1, 2, 3, 4)]
    assert shares == [[0, 4, 8], [1, 5, 9], [2, 6], [3, 7]]
    assert plan_header(plan) == {"app": "shop:app", "library": "celery"}


def test_share_is_read_as_it_is_written():
    assert Share.read(str(Share(2, 4))) == Share(2, 4)


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "-1/4", "2/four"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(InvalidRequest, match="share"):
        Share.read(text)
