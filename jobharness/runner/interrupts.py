"""Holding back Ctrl-C while what was seen is being kept: half a history would be none."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interrupts_held"]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """SIGINT and SIGTERM that come meanwhile come once it is over, the first of them only; what is ignored stays so. Elsewhere
    than in the main thread, which alone gets them, nothing is to be held."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    held = [number for number, handler in before.items() if handler not in (None, signal.SIG_IGN)]  # None: not Python's own.
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, before[number])
        if came:
            signal.raise_signal(came[0])
