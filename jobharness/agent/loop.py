"""Lets the producer, which is a plain loop, call async libraries.

The event loop runs in a thread of its own, so that connections are kept alive (heartbeats, pings) between two jobs that may be
seconds apart. What the producer's thread said of the next enqueue (see `intent`) is handed over to the loop's thread and back.
"""

import asyncio
import threading

from . import intent

__all__ = ["Loop"]


class Loop:
    """A private event loop. `call` may be used from one thread at a time."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jobharness-loop", daemon=True)
        self._thread.start()

    def call(self, coroutine):
        """Run a coroutine to its end and return its result, or raise what it raised. Blocks until then."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def send(self, coroutine):
        """The same for an enqueue: the instrumentation finds the intended moment, and the producer the job's key."""
        keys = []
        try:
            return self.call(_intended(intent.take(), intent.group(), coroutine, keys))
        finally:
            intent.began(keys[0] if keys else None)

    def close(self):
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()


async def _intended(at_ns, group, coroutine, keys):
    intent.intend(at_ns, group)
    try:
        return await coroutine
    finally:
        keys.append(intent.key())
