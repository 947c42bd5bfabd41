"""What each strike hit and what became of it, on histories written by hand."""

from jobharness.report.strikes import Hit, Strike, strikes_of
from tests.histories import history

S = 1_000_000_000


def test_each_strike_has_its_own_hits_and_their_fates_the_gravest_first() -> None:
    seen = history("""
        0.500  worker-1/7  job.running   a  task=shop.charge
        1.000  harness     fault.begin   -  text=kill#1 value=1
        1.001  harness     fault.hit     a  text=kill#1 value=7
        1.002  harness     fault.hit     b  text=kill#1 value=7
        1.003  harness     fault.hit     c  text=kill#1 value=7
        1.500  harness     fault.end     -  text=kill#1
        2.002  worker-2    job.finished  a
        2.100  harness     fault.begin   -  text=kill#1 value=2
        2.101  harness     fault.hit     a  text=kill#1 value=8
        2.200  harness     fault.begin   -  text=pause#2 value=1
        2.201  harness     fault.hit     -  text=pause#2 value=9
        3.000  harness     job.held      c  text=unacked
    """)
    assert strikes_of(seen) == [
        Strike(
            number=1,
            label="kill#1",
            time_ns=1 * S,
            end_ns=round(1.5 * S),
            victims=("worker-1 (pid 7)",),
            fates={"lost": 1, "stuck": 1, "completed": 1},
            hits=(
                Hit(1, "b", "", "lost", None),
                Hit(2, "c", "", "stuck", None),
                Hit(0, "a", "shop.charge", "completed", 1.001),
            ),
        ),
        Strike(
            2,
            "kill#1",
            round(2.1 * S),
            None,
            ("a process (pid 8)",),
            {"earlier": 1},
            (Hit(0, "a", "shop.charge", "earlier", None),),
        ),
        Strike(3, "pause#2", round(2.2 * S), None, ("a process (pid 9)",), {}, ()),
    ]


def test_a_job_that_only_its_worker_s_death_ended_is_lost_and_one_dead_by_itself_is_dead() -> None:
    seen = history("""
        1.000  harness   fault.begin  -  text=kill#1 value=1
        1.000  harness   fault.hit    a  text=kill#1 value=7
        1.000  harness   fault.hit    b  text=kill#1 value=7
        1.500  worker-1  job.dead     a  value=worker_lost
        1.500  worker-1  job.dead     b  value=raised
    """)
    (strike,) = strikes_of(seen)
    assert strike.fates == {"lost": 1, "dead": 1}


def test_a_history_without_faults_has_no_strike() -> None:
    assert strikes_of(history("1.0 worker-1 job.running a")) == []
    assert strikes_of(history("")) == []


def test_a_job_that_one_strike_hits_again_and_again_is_one_job() -> None:
    """An API that answers 429 for a while strikes every request of a job."""
    seen = history("""
        1.000  harness   fault.begin   -  text=upstream#1 value=1
        1.100  upstream  fault.hit     a  text=upstream#1 value=429
        1.200  upstream  fault.hit     b  text=upstream#1 value=429
        1.300  upstream  fault.hit     a  text=upstream#1 value=429
        2.000  harness   fault.end     -  text=upstream#1
        2.100  worker-1  job.finished  a
        2.200  worker-1  job.finished  b
    """)
    (strike,) = strikes_of(seen)
    assert (strike.jobs, [(hit.job_id, hit.after_s) for hit in strike.hits]) == (2, [("a", 1.0), ("b", 1.0)])
