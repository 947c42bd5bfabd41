"""How a producer waits for room in a closed loop, by a clock that stands still but while it sleeps."""

import pytest

from jobharness.agent import producer

S = 1_000_000_000
ONE_IS_DONE = (1).to_bytes(8, "little")


class Clock:
    """Moves on by what is slept; at `over_ns` the job in flight is done."""

    def __init__(self, path, over_ns, words=ONE_IS_DONE):
        self.now_ns, self.looks, self._path, self._over_ns, self._words = 0, 0, path, over_ns, words

    def monotonic_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.looks += 1
        self.now_ns += round(seconds * S)
        if self.now_ns >= self._over_ns:
            self._path.write_bytes(self._words)


@pytest.mark.parametrize(("over_s", "late_s", "most_looks"), [(0.001, 0.0005, 3), (0.1, 0.002, 150), (20.0, 0.1, 600)])
def test_the_longer_it_waits_the_less_often_it_looks_and_is_hardly_late(tmp_path, monkeypatch, over_s, late_s, most_looks):
    """Looked at every half millisecond, as the first ones are, it would be 40,000 looks in 20 s: half of a crash map's work."""
    clock = Clock(tmp_path / "done", round(over_s * S))
    monkeypatch.setattr(producer, "monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr(producer.time, "sleep", clock.sleep)
    due_ns = producer.Done(str(tmp_path / "done")).await_room(1, 1)
    assert 0 <= due_ns - over_s * S <= late_s * S
    assert clock.looks <= most_looks


def test_start_is_seen_ten_milliseconds_late_at_most_however_long_it_was_waited_for(tmp_path, monkeypatch):
    """What is late then is the whole plan: a run that waited 5 s for its workers would be marked for it."""
    clock = Clock(tmp_path / "go", round(5.003 * S), b"17")
    monkeypatch.setattr(producer, "monotonic_ns", clock.monotonic_ns)
    monkeypatch.setattr(producer.time, "sleep", clock.sleep)
    assert producer._await_start(str(tmp_path / "go")) == 17
    assert 0 <= clock.now_ns - 5.003 * S <= 0.01 * S
