"""The ledger of the upstream's rate limit."""

from jobharness.report.calls import answers, ledger_rows, quota_words
from jobharness.report.window import Window
from tests.histories import history

S = 10**9
WINDOW = Window(origin_ns=0, end_ns=3 * S, over_ns=3 * S, bin_ns=S)
CALLS = history("""
    0.100  upstream  upstream.request      a  task="POST /mail"
    0.110  upstream  upstream.retry_after  a  task="POST /mail" value=2s
    0.110  upstream  upstream.answered     a  task="POST /mail" value=429
    1.000  upstream  upstream.request      a  task="POST /mail"
    1.010  upstream  upstream.answered     a  task="POST /mail" value=200
    1.100  upstream  upstream.request      b  task="GET /stock"
    1.110  upstream  upstream.answered     b  task="GET /stock" value=503
    1.200  upstream  upstream.request      -  task="GET /stock"
    1.210  upstream  upstream.answered     -  task="GET /stock" value=-1
    2.150  upstream  upstream.request      a  task="POST /mail"
    2.160  upstream  upstream.answered     a  task="POST /mail" value=204
""")


def test_every_answer_is_counted_in_its_bin() -> None:
    assert answers(CALLS, WINDOW).to_dicts() == [
        {"well": 0.0, "throttled": 1.0, "failed": 0.0},
        {"well": 1.0, "throttled": 0.0, "failed": 2.0},
        {"well": 1.0, "throttled": 0.0, "failed": 0.0},
    ]


def test_the_ledger_has_all_calls_and_each_route_and_who_came_back_too_soon() -> None:
    assert ledger_rows(CALLS) == [
        ["all", "5", "2", "1", "1", "1", "2 s", "1"],
        ["POST /mail", "3", "2", "1", "0", "0", "2 s", "1"],
        ["GET /stock", "2", "0", "0", "1", "1", "–", "0"],
    ]


def test_a_request_at_the_very_end_of_its_wait_is_not_too_soon() -> None:
    patient = history("""
        0.100  upstream  upstream.request      a
        0.110  upstream  upstream.retry_after  a  value=2s
        0.110  upstream  upstream.answered     a  value=429
        2.110  upstream  upstream.request      a
        2.120  upstream  upstream.answered     a  value=200
    """)
    assert ledger_rows(patient)[0][-1] == "0"


def test_where_no_job_called_there_is_no_ledger() -> None:
    quiet = history("0.1 producer enqueue.begin a")
    assert (answers(quiet, WINDOW), ledger_rows(quiet)) == (None, [])


def test_quotas_are_told_in_words() -> None:
    assert quota_words([]) == ""
    quotas = [{"kind": "sliding-window", "limit": 10, "window": 2.0}, {"kind": "concurrency", "limit": 3, "key": "X-Tenant"}]
    assert quota_words(quotas) == "at most 10 within 2 s (sliding-window); at most 3 at once for each X-Tenant"
