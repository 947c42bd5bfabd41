"""Records become a History, a History becomes a file and comes back; what cannot be read says so in one line."""

import json
import uuid

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from jobharness.agent import record
from jobharness.agent.recorder import Recorder
from jobharness.errors import HistoryUnreadable
from jobharness.history import log
from jobharness.history.event import Kind


@pytest.fixture
def folder(tmp_path):
    """Records of a producer and a worker: three jobs, one of them with an id that is no UUID."""
    path = tmp_path / "records"
    path.mkdir()
    producer, worker = Recorder(path, "producer", "producer"), Recorder(path, "worker", "worker-1", slots=4)
    for number, job_id in enumerate(("8b1a9953-c461-4296-a827-abf8c47804d7", "order:17", str(uuid.UUID(int=5)))):
        key, text = producer.job(job_id)
        producer.record(Kind.ENQUEUE_BEGIN, key, number, 0, producer.text("shop.charge"), text)
        producer.record(Kind.ENQUEUE_ACKNOWLEDGED, key)
        key, text = worker.job(job_id)
        worker.record(Kind.JOB_RUNNING, key, 0, 1, worker.text("shop.charge"), text)
        worker.record(Kind.JOB_FAILED, key, 0, 1, 0, worker.text("ValueError: 'ünïcode' \u2028"))
    return path


def only(folder, role):
    return next(path for path in sorted(folder.glob(f"{role}*.rec")))


def test_gathered_events_are_in_the_order_of_time_with_their_jobs_and_texts(folder):
    history = log.gather(folder, {"seed": 7})
    assert history.events["time_ns"].is_sorted() and len(history) == 12
    assert [history.job_id(job) for job in range(3)] == [
        "8b1a9953-c461-4296-a827-abf8c47804d7",
        "order:17",
        str(uuid.UUID(int=5)),
    ]
    assert [Kind(kind).name_ for kind in history.events.filter(pl.col("job") == 1)["kind"]] == [
        "enqueue.begin", "enqueue.acknowledged", "job.running", "job.failed",
    ]  # fmt: skip
    assert history.task_of(1) == "shop.charge"
    assert history.life(1)[-1].text == "ValueError: 'ünïcode' \u2028"
    assert sorted(history.processes["name"]) == ["producer", "worker-1"]
    assert dict(history.header) == {"schema": 1, "seed": 7, "torn": 0}


def test_history_saved_and_loaded_is_the_same(folder, tmp_path):
    history = log.gather(folder, {"seed": 7, "run": "a run"})
    log.save(history, tmp_path / "history.parquet")
    again = log.load(tmp_path / "history.parquet")
    for table in ("events", "jobs", "processes"):
        assert_frame_equal(getattr(again, table), getattr(history, table))
    assert again.texts.to_list() == history.texts.to_list()
    assert dict(again.header) == dict(history.header)
    assert [str(moment) for moment in again.life(1)] == [str(moment) for moment in history.life(1)]
    assert not list(tmp_path.glob("*.partial"))


def test_history_that_is_loaded_in_several_parts_is_the_same(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(log, "EVENTS_AT_ONCE", 2)
    history = log.gather(folder, {})
    assert len(history) > 4
    log.save(history, tmp_path / "h.parquet")
    assert_frame_equal(log.load(tmp_path / "h.parquet").events, history.events)


def test_empty_folder_is_an_empty_history_that_can_be_saved(tmp_path):
    history = log.gather(tmp_path, {})
    assert len(history) == 0 and history.lives.height == 0
    log.save(history, tmp_path / "history.parquet")
    assert len(log.load(tmp_path / "history.parquet")) == 0


def test_record_cut_off_by_a_kill_is_left_out_and_counted(folder):
    path = only(folder, "producer")
    raw = bytearray(path.read_bytes())
    at = record.HEADER_BYTES + 2 * record.RECORD_BYTES + record.COMMIT_OFFSET
    raw[at : at + 4] = bytes(4)  # As a writer leaves it that died before the last field.
    path.write_bytes(raw)
    history = log.gather(folder, {})
    assert (len(history), history.header["torn"]) == (11, 1)


def test_slot_taken_and_never_filled_is_a_hole_and_no_torn_record(folder):
    path = only(folder, "producer")
    raw = bytearray(path.read_bytes())
    at = record.HEADER_BYTES + 2 * record.RECORD_BYTES
    raw[at : at + record.RECORD_BYTES] = bytes(record.RECORD_BYTES)
    path.write_bytes(raw)
    history = log.gather(folder, {})
    assert (len(history), history.header["torn"]) == (11, 0)


def test_record_copied_to_another_slot_is_no_record(folder):
    """The commit names its slot, so stale or misplaced bytes are never taken for a record."""
    path = only(folder, "producer")
    raw = bytearray(path.read_bytes())
    first, free = record.HEADER_BYTES, record.HEADER_BYTES + 100 * record.RECORD_BYTES
    raw[free : free + record.RECORD_BYTES] = raw[first : first + record.RECORD_BYTES]
    path.write_bytes(raw)
    history = log.gather(folder, {})
    assert (len(history), history.header["torn"]) == (12, 1)


def test_many_segments_stay_in_the_order_in_which_they_were_written(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1", slots=2)
    for number in range(30):
        recorder.record(Kind.JOB_RUNNING, value=number)
    for path in tmp_path.glob("*.rec"):  # All at one moment: only the order of the files is left.
        raw = bytearray(path.read_bytes())
        for slot in range(2):
            at = record.HEADER_BYTES + slot * record.RECORD_BYTES
            raw[at : at + 8] = (5).to_bytes(8, "little")
        path.write_bytes(raw)
    history = log.gather(tmp_path, {})
    assert history.events["value"].to_list() == list(range(30))
    assert history.processes.height == 1


def test_half_a_character_in_a_text_does_not_lose_the_history(tmp_path):
    recorder = Recorder(tmp_path, "worker", "worker-1")
    recorder.record(Kind.JOB_FAILED, text=recorder.text("no such file: b\udce9b\udce9"))
    history = log.gather(tmp_path, {})
    assert history.text(int(history.events["text"][0])).startswith("no such file: b")
    log.save(history, tmp_path / "history.parquet")
    assert len(log.load(tmp_path / "history.parquet")) == 1


def test_last_text_that_was_cut_off_is_left_out(folder):
    path = next(folder.glob("worker*.texts"))
    with path.open("ab") as texts:
        texts.write(b'[99, "cut o')
    assert len(log.gather(folder, {})) == 12


def unreadable(folder, *words):
    """Gathering fails with one clear line that has these words."""
    with pytest.raises(HistoryUnreadable) as caught:
        log.gather(folder, {})
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in words), message
    assert message.startswith(str(folder))


def test_file_cut_off_in_its_header_is_refused(folder):
    path = only(folder, "producer")
    path.write_bytes(path.read_bytes()[:100])
    unreadable(folder, path.name, "cut off in its header")


def test_foreign_file_is_refused(folder):
    (folder / "diary.rec").write_bytes(b"dear diary, " * 1000)
    unreadable(folder, "diary.rec", "is not a record file of jobharness")


@pytest.mark.parametrize("schema", [record.SCHEMA - 1, record.SCHEMA + 1])
def test_another_record_schema_is_refused_with_what_to_do(folder, schema):
    path = only(folder, "producer")
    raw = bytearray(path.read_bytes())
    raw[8:12] = schema.to_bytes(4, "little")
    path.write_bytes(raw)
    unreadable(folder, path.name, f"record schema {schema}", f"reads {record.SCHEMA}", "the same version of jobharness")


@pytest.mark.parametrize(("about", "words"), [(b"{'", "damaged header"), (b"[]", "without the name")])
def test_damaged_header_is_refused(folder, about, words):
    path = only(folder, "producer")
    raw = bytearray(path.read_bytes())
    fields = list(record.HEADER.unpack_from(raw))
    fields[-1] = len(about)
    record.HEADER.pack_into(raw, 0, *fields)
    raw[record.HEADER.size : record.HEADER.size + len(about)] = about
    path.write_bytes(raw)
    unreadable(folder, path.name, words)


def test_event_of_an_unknown_kind_is_refused(folder):
    Recorder(folder, "worker", "worker-9").record(4711)
    unreadable(folder, "kind 4711", "Update jobharness")


def test_text_that_its_file_does_not_have_is_refused(folder):
    next(folder.glob("worker*.texts")).unlink()
    unreadable(folder, "names text", "ends at 0")


@pytest.mark.parametrize("line", [b"not json", b'"a text without its number"', b"[1, 2]", b'["1", "a"]'])
def test_foreign_file_of_texts_is_refused(folder, line):
    path = next(folder.glob("worker*.texts"))
    path.write_bytes(line + b"\n")
    unreadable(folder, path.name, "is not a file of texts of jobharness")


def not_loaded(path, *words):
    with pytest.raises(HistoryUnreadable) as caught:
        log.load(path)
    message = str(caught.value)
    assert "\n" not in message and all(word in message for word in (str(path), *words)), message


@pytest.fixture
def saved(folder, tmp_path):
    path = tmp_path / "history.parquet"
    log.save(log.gather(folder, {}), path)
    return path


def test_missing_history_is_refused(tmp_path):
    not_loaded(tmp_path / "none.parquet", "does not exist")


@pytest.mark.parametrize("keep", [0, 3, 40, 0.5, 0.99])
def test_truncated_history_is_refused(saved, keep):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    not_loaded(saved, "is not a readable Parquet file")


def test_folder_in_place_of_a_history_is_refused(tmp_path):
    not_loaded(tmp_path, "")


def test_parquet_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "sales.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    not_loaded(path, "is a Parquet file, but not a history of jobharness")


@pytest.mark.parametrize("about", ["[]", "7", "null", "{}", '{"header": {}}', '{"header": {"schema": "one"}}'])
def test_history_with_a_foreign_account_of_itself_is_refused(saved, about):
    pl.read_parquet(saved).write_parquet(saved, metadata={"jobharness": about})
    not_loaded(saved, "not a history of jobharness")


def test_history_without_its_columns_is_refused(saved):
    about = pl.read_parquet_metadata(saved)["jobharness"]
    pl.read_parquet(saved).drop("kind").write_parquet(saved, metadata={"jobharness": about})
    not_loaded(saved, "not a history of jobharness")


def test_history_of_a_newer_schema_is_refused_with_what_to_do(saved):
    about = json.loads(pl.read_parquet_metadata(saved)["jobharness"])
    about["header"]["schema"] = 2
    pl.read_parquet(saved).write_parquet(saved, metadata={"jobharness": json.dumps(about)})
    not_loaded(saved, "has schema 2", "reads up to 1", "Update jobharness")
