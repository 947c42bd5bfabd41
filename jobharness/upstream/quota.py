"""Quotas of an API: token bucket, sliding window, concurrency. Pure; the time is handed in, in ns.

Each says whether a request may pass, and if not, after how long it might. Exact to one request per window.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from jobharness.clock import NS_PER_S

__all__ = ["QUOTAS", "Answer", "Concurrency", "Quota", "SlidingWindow", "TokenBucket"]


@dataclass(frozen=True)
class Answer:
    """`retry_after_ns`: 0 when the request passes. `remaining`: how many more would pass now."""

    passes: bool
    remaining: int
    retry_after_ns: int = 0


class Quota(Protocol):
    """One quota for one caller. `limit`: requests per window, or at once."""

    limit: int

    def __init__(self, limit: int, window_s: float) -> None: ...

    def ask(self, now_ns: int) -> Answer:
        """May a request pass now? One that passes is counted."""
        ...

    def done(self) -> None:
        """A request that passed was answered."""
        ...


class TokenBucket:
    """A bucket of `limit` tokens that fills up once per window; a request takes one. Bursts up to `limit` pass."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._ns_per_token = window_s * NS_PER_S / limit
        # The moment at which the bucket was, or will be, full: tokens are counted in whole ns, so that none is lost in rounding.
        self._full_at_ns = 0.0

    def ask(self, now_ns: int) -> Answer:
        """Take a token if there is one."""
        missing = max(0.0, self._full_at_ns - now_ns) / self._ns_per_token
        if missing + 1 > self.limit:
            wait_ns = self._full_at_ns - now_ns - (self.limit - 1) * self._ns_per_token
            return Answer(False, 0, max(1, round(wait_ns)))
        self._full_at_ns = max(self._full_at_ns, now_ns) + self._ns_per_token
        return Answer(True, int(self.limit - missing - 1))

    def done(self) -> None:
        """Nothing: a token is used up by the request, not by its answer."""


class SlidingWindow:
    """No window of the given length, wherever it begins, holds more than `limit` requests that passed."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_ns = round(window_s * NS_PER_S)
        self._passed: deque[int] = deque()

    def ask(self, now_ns: int) -> Answer:
        """Pass if fewer than `limit` have in the window that ends now. A window is half open: the far end does not count."""
        while self._passed and self._passed[0] <= now_ns - self._window_ns:
            self._passed.popleft()
        if len(self._passed) >= self.limit:
            return Answer(False, 0, self._passed[0] + self._window_ns - now_ns)
        self._passed.append(now_ns)
        return Answer(True, self.limit - len(self._passed))

    def done(self) -> None:
        """Nothing: a request counts from its arrival."""


class Concurrency:
    """At most `limit` requests are under way at once. Nobody can say when one will end: retry after the window."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self._window_ns = round(window_s * NS_PER_S)
        self._under_way = 0

    def ask(self, now_ns: int) -> Answer:
        """Pass if fewer than `limit` are under way."""
        if self._under_way >= self.limit:
            return Answer(False, 0, self._window_ns)
        self._under_way += 1
        return Answer(True, self.limit - self._under_way)

    def done(self) -> None:
        """One fewer is under way."""
        self._under_way -= 1


QUOTAS: dict[str, type[Quota]] = {"token-bucket": TokenBucket, "sliding-window": SlidingWindow, "concurrency": Concurrency}
