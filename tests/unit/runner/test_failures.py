"""Which dead jobs a worker's log tells of."""

from jobharness.runner.failures import logged


def test_a_line_that_tells_of_a_failure_counts_and_one_that_only_names_the_job_does_not(tmp_path):
    (tmp_path / "worker-1.log").write_text(
        "Task shop.charge[id-aaaa-1] received\n"
        "ERROR Task shop.charge[id-aaaa-1] raised unexpected: ValueError()\n"
        "ERROR again id-aaaa-1\n"
        "Task shop.charge[id-bbbb-2] received\n"
    )
    (tmp_path / "producer.log").write_text("error id-bbbb-2\n")
    dead = {"id-aaaa-1": b"a", "id-bbbb-2": b"b"}
    assert list(logged(tmp_path, dead)) == [(b"a", "worker-1.log:2")]
