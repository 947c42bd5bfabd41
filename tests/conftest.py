"""What holds for all tests: Ctrl-C interrupts, in the processes that they start too, wherever they run."""

import signal


def pytest_configure(config):
    # What a shell starts in the background ignores it, and hands that on.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
