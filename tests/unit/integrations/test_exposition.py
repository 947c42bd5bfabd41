"""What a scrape says while a run goes on."""

from prometheus_client import CollectorRegistry, generate_latest

from jobharness.clock import now_ns
from jobharness.history.event import Kind
from jobharness.history.follow import News
from jobharness.integrations.exposition import LiveMetrics, write_textfile
from jobharness.metrics.metric import Metric


def news(kind, key=b"", name="worker-1", text="", value=0, age_s=0.0, attempt=1):
    return News(now_ns() - round(age_s * 1e9), kind, key, value, attempt, 1, "", text, name, "worker")


def scraped(metrics):
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = generate_latest(registry).decode().splitlines()
    return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_jobs_wait_from_their_acknowledgement_until_a_worker_takes_them():
    metrics = LiveMetrics("celery", 1)
    metrics.see([news(Kind.ENQUEUE_ACKNOWLEDGED, b"a", age_s=5), news(Kind.ENQUEUE_ACKNOWLEDGED, b"b", age_s=1)])
    said = scraped(metrics)
    assert said["jobharness_jobs_waiting"] == 2
    assert 5 <= said["jobharness_oldest_waiting_seconds"] < 60
    # The events of two processes arrive in no order: a job may be taken before its acknowledgement is read.
    metrics.see([news(Kind.JOB_RECEIVED, b"a"), news(Kind.JOB_RUNNING, b"a"), news(Kind.JOB_RUNNING, b"c")])
    metrics.see([news(Kind.ENQUEUE_ACKNOWLEDGED, b"c"), news(Kind.JOB_RECEIVED, b"b")])
    said = scraped(metrics)
    assert (said["jobharness_jobs_waiting"], said["jobharness_oldest_waiting_seconds"]) == (0, 0)
    assert (said["jobharness_jobs_enqueued_total"], said["jobharness_executions_total"]) == (3, 2)


def test_nobody_is_missed_before_the_fleet_was_whole_once():
    metrics = LiveMetrics("celery", 2)
    metrics.see([news(Kind.WORKER_READY)])
    assert scraped(metrics)["jobharness_workers_wanted"] == scraped(metrics)["jobharness_workers_ready"] == 1
    metrics.see([news(Kind.WORKER_READY, name="worker-2"), news(Kind.WORKER_EXITED, text="worker-1")])
    said = scraped(metrics)
    assert (said["jobharness_workers_wanted"], said["jobharness_workers_ready"]) == (2, 1)


def test_a_worker_that_is_gone_uses_no_memory():
    metrics = LiveMetrics("celery", 1)
    metrics.see(
        [news(Kind.RESOURCE_MEMORY, text="worker-1", value=100), news(Kind.RESOURCE_MEMORY_LIMIT, text="worker-1", value=400)]
    )
    assert scraped(metrics)["jobharness_worker_memory_bytes"] == 100
    metrics.see([news(Kind.WORKER_EXITED, text="worker-1")])
    assert "jobharness_worker_memory_bytes" not in scraped(metrics)


def test_the_text_file_has_the_published_names_and_leaves_out_what_has_no_value(tmp_path):
    metrics = {
        "jobs.lost": Metric("jobs.lost", 2, "jobs", 10),
        "latency.p95": Metric("latency.p95", 0.5, "s", 10),
        "drain": Metric("drain", None, "s", 0),
    }
    write_textfile(metrics, tmp_path / "metrics.prom", {"queue": "celery"})
    text = (tmp_path / "metrics.prom").read_text()
    assert 'jobharness_jobs_lost{queue="celery",stat=""} 2.0' in text
    assert 'jobharness_latency_seconds{queue="celery",stat="p95"} 0.5' in text
    assert "drain" not in text
