import signal
import threading

import pytest

from jobharness.runner.interrupts import interrupts_held


def test_interrupt_waits_until_what_must_not_be_interrupted_is_done():
    done = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts_held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)  # The second is impatience, not another wish.
        done.append("kept")
    assert done == ["kept"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_is_ignored_stays_so():
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)


def test_without_an_interrupt_nothing_happens_and_an_error_is_not_hidden():
    with interrupts_held():
        pass
    with pytest.raises(OSError, match="full"), interrupts_held():
        raise OSError("full")


def test_other_threads_get_no_interrupts_and_change_no_handler():
    handler, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [handler]
