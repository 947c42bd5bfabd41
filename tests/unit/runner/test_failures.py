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


def test_a_line_of_json_says_its_level_in_a_field(tmp_path):
    (tmp_path / "worker-1.log").write_text(
        '{"level": "info", "event": "task failed over to error queue", "task_id": "id-aaaa-1"}\n'
        '{"level": "warning", "event": "gave up", "task_id": "id-aaaa-1"}\n'
        '{"severity": 50, "msg": "id-bbbb-2"}\n'
        '{"levelname": "DEBUG", "message": "error id-cccc-3"}\n'
    )
    dead = {"id-aaaa-1": b"a", "id-bbbb-2": b"b", "id-cccc-3": b"c"}
    assert list(logged(tmp_path, dead)) == [(b"a", "worker-1.log:2"), (b"b", "worker-1.log:3")]


def test_a_line_below_warning_does_not_count_whatever_it_says(tmp_path):
    (tmp_path / "worker-1.log").write_text(
        "[2026-01-01 INFO/Worker-1] id-aaaa-1 failed, will retry\n[2026-01-01 WARNING/Worker-1] id-bbbb-2 gone\n"
    )
    assert list(logged(tmp_path, {"id-aaaa-1": b"a", "id-bbbb-2": b"b"})) == [(b"b", "worker-1.log:2")]
