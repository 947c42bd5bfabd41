"""`jobharness merge`: a verdict over all nodes, and one clear line for what cannot be merged."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobharness.agent import events
from jobharness.agent.recorder import Recorder
from jobharness.cli.main import app
from jobharness.history import log
from jobharness.staging.nodes import NodeFile, write_node
from jobharness.staging.offsets import Exchange

MS = 1_000_000
CHECKOUT = Path(__file__).parents[3] / "scenarios" / "staging" / "checkout.toml"


@pytest.fixture
def merge(tmp_path, monkeypatch):
    """Runs `jobharness merge …` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["merge", *words])


def record(folder, name, kinds, **said):
    write_node(folder / name, NodeFile(name, host="h", **said))
    recorder = Recorder(folder / name, "worker", "worker-1", slots=8)
    for number, kind in enumerate(kinds):
        recorder.record(kind, b"a" * 16, time_ns=(number + 1) * MS)
    recorder.close()


def nodes(folder, *kinds, ended=True):
    record(folder, "master", (events.ENQUEUE_BEGIN, events.ENQUEUE_ACKNOWLEDGED), master=True, ended=True)
    exchanges = (Exchange(0, 3 * MS, 3 * MS, 100_000),)
    record(folder, "east", kinds, exchanges=exchanges, ended=ended)


def test_nodes_are_judged_together_and_listed(merge, tmp_path):
    nodes(tmp_path / "load", events.JOB_RUNNING, events.JOB_FINISHED)
    done = merge("load")
    assert done.exit_code == 0, done.output
    assert "HOLDS: everything asked for held." in done.output
    assert [line.split()[0] for line in done.output.splitlines() if line.endswith("whole")] == ["master", "east"]
    assert len(log.load(tmp_path / "load" / "history.parquet")) == 4


def test_job_lost_on_another_node_is_broken(merge, tmp_path):
    nodes(tmp_path / "load", events.JOB_RUNNING)
    done = merge("load")
    assert done.exit_code == 1 and done.output.startswith("BROKEN: 1 of 1 acknowledged")


def test_job_of_a_vanished_node_is_unknown_and_no_pass(merge, tmp_path):
    nodes(tmp_path / "load", events.JOB_RUNNING, ended=False)
    done = merge("load", "--out", "all.parquet")
    assert done.exit_code == 3
    assert (
        "only east could tell, which vanished" in done.output and "east vanished: its last events may be missing" in done.output
    )
    assert (tmp_path / "all.parquet").exists()


def test_all_that_was_seen_held_yet_a_node_vanished(merge, tmp_path):
    nodes(tmp_path / "load", events.JOB_RUNNING, events.JOB_FINISHED, ended=False)
    done = merge("load")
    assert done.exit_code == 3 and done.output.startswith("UNKNOWN: everything asked for held.")


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("amqp://127.0.0.1", 2, "results of Celery are read from Redis (redis://host:port/db), and amqp:// is none"),
        ("redis://127.0.0.1:1/0", 3, "did not answer"),
    ],
)
def test_results_that_cannot_be_observed_are_refused_and_nothing_is_written(tmp_path, url, code, said):
    done = CliRunner().invoke(app, ["observe", str(tmp_path / "load"), "--results", url])
    assert done.exit_code == code and said in done.output
    assert not (tmp_path / "load").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "has no folder of a node"),
        (("load", "--out", "x.csv"), "does not end in .parquet"),
    ],
)
def test_what_cannot_be_merged_is_said_in_a_line(merge, words, said):
    done = merge(*words)
    assert done.exit_code == 2 and said in done.output.replace("\n", " ")


STAGING = 'environment = "staging"\nhosts = ["192.0.2.1"]\n'


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (
            ["observe", "load", "--results", "redis://192.0.2.1/1"],
            "no --scenario is given that allows it: --results: 192.0.2.1 is not on",
        ),
        (["observe", "load", "--results", "redis://127.0.0.1/prod"], "--results: prod looks like production"),
        (
            ["observe", "load", "--results", "sqlite://192.0.2.1/1", "--scenario", "shop.toml"],
            "results of Celery are read from Redis",
        ),
        (
            ["observe", "load", "--results", "redis://198.51.100.7/1", "--scenario", "shop.toml"],
            "shop.toml: --results: 198.51.100.7 is not on",
        ),
        (["collect", "load", "--host", "192.0.2.1"], "--host: 192.0.2.1 is not on this machine"),
    ],
)
def test_addresses_of_nodes_and_results_are_under_the_guard_rails(tmp_path, monkeypatch, words, seen):
    monkeypatch.chdir(tmp_path)
    text = CHECKOUT.read_text(encoding="utf-8")
    (tmp_path / "shop.toml").write_text(STAGING + text, encoding="utf-8")
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and seen in " ".join(done.output.split()), done.output
    assert not (tmp_path / "load").exists()
