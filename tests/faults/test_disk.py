"""A disk that is full for a while, under a broker's data."""

import contextlib
import threading
from pathlib import Path

import pytest

from jobharness.contracts.contract import Word
from jobharness.harness import Harness
from jobharness.history.event import Kind
from jobharness.processes.disk import LimitedDisk, may_mount, unmount_marked
from tests.support.require import missing
from tests.support.subjects import NEWEST

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def mounts(tmp_path):
    """Afterwards nothing of this test is mounted any more; missing where nothing may be."""
    if not may_mount():
        missing("mounting a file system takes root")
    yield
    assert [line for line in mounted() if str(tmp_path) in line] == []


def mounted():
    return [line for line in Path("/proc/mounts").read_text().splitlines() if line.startswith("jobharness-")]


def refused(history):
    """`(in the fault, outside)`: how many enqueues failed."""
    begin, end = (history.of(kind).collect()["time_ns"][0] for kind in (Kind.FAULT_BEGIN, Kind.FAULT_END))
    times = history.of(Kind.ENQUEUE_UNKNOWN, Kind.ENQUEUE_REFUSED).collect()["time_ns"]
    return sum(begin <= time <= end for time in times), sum(not begin <= time <= end for time in times)


@pytest.mark.parametrize("broker", ["redis", "sqlite"])
def test_what_cannot_be_written_is_refused_and_what_was_acknowledged_is_done(broker, tmp_path):
    result = Harness(ROOT, tmp_path).run(f"scenarios/faults/disk_full_{broker}.toml")
    # Redis hands jobs out that it then cannot note as taken: Celery may lose one, and a worker may not come back while it is full.
    if broker == "sqlite":
        assert result.verdict.word is Word.HOLDS, result.verdict.findings
    inside, outside = refused(result.history)
    assert inside >= 1 and outside <= 1  # One that began when the disk was full may end after it.
    words = " ".join(result.history.texts.to_list())
    assert {"redis": "No space left on device", "sqlite": "database or disk is full"}[broker] in words
    # It goes on when there is space again.
    last_refusal = result.history.of(Kind.ENQUEUE_UNKNOWN, Kind.ENQUEUE_REFUSED).collect()["time_ns"].max()
    assert result.history.of(Kind.ENQUEUE_ACKNOWLEDGED).collect()["time_ns"].max() > last_refusal


def test_postgres_on_a_full_disk_refuses_what_needs_room_and_goes_on_afterwards(tmp_path):
    python = NEWEST["procrastinate on postgres"].subject_there().queue["python"]
    result = Harness(ROOT, tmp_path).run("scenarios/faults/disk_full_postgres.toml", queue__python=python)
    history = result.history
    assert result.verdict.word is Word.HOLDS, result.verdict.findings
    inside, _ = refused(history)
    died = {history.text(row["text"]).partition(":")[0] for row in history.of(Kind.JOB_FAILED).collect().iter_rows(named=True)}
    assert inside >= 1 and died <= {"DiskFull"}
    server = next(result.folder.glob("logs/broker.log")).read_text()
    assert "could not extend file" in server and "No space left on device" in server
    last_refusal = history.of(Kind.ENQUEUE_UNKNOWN, Kind.ENQUEUE_REFUSED).collect()["time_ns"].max()
    assert history.of(Kind.ENQUEUE_ACKNOWLEDGED).collect()["time_ns"].max() > last_refusal


def test_full_disk_takes_nothing_and_is_as_large_as_before_when_it_is_free(tmp_path):
    disk = LimitedDisk(tmp_path / "disk", 4_000_000, "a-test-of-disks")
    try:
        (disk.folder / "file").write_bytes(bytes(1_000_000))
        disk.fill()
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "more").write_bytes(bytes(10_000))
        disk.free()
        disk.free()
        (disk.folder / "more").write_bytes(bytes(2_000_000))
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "too much").write_bytes(bytes(2_000_000))
        assert unmount_marked("another-run") == []
    finally:
        disk.unmount()
        disk.unmount()
    assert list(disk.folder.iterdir()) == []


def test_disk_on_which_files_grow_meanwhile_is_made_full_all_the_same(tmp_path):
    disk, over = LimitedDisk(tmp_path / "disk", 400_000_000, "a-test-of-growth"), threading.Event()

    def grow():
        with (disk.folder / "file").open("wb", buffering=0) as file:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    file.write(bytes(4096))

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for _ in range(300):
            disk.fill()
            disk.free()
    finally:
        over.set()
        writer.join()
        disk.unmount()
