"""What some brokers can do besides: each ability is a small protocol, found by asking (`isinstance(broker, CanCrash)`) and
never by name.

All but `CanBeRead` and `CanEndSessions` change the server itself, so they refuse one that was given by URL: it may be others'
too, and nothing would undo the change if this process were killed. A server of the run's own ends with the run, whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

__all__ = ["CanBeRead", "CanCrash", "CanEndSessions", "CanFill", "CanForget", "CanLimitConnections", "CanPause"]


@runtime_checkable
class CanCrash(Protocol):
    """A broker whose process can be lost and come back."""

    def kill(self) -> None:
        """SIGKILL all of it, and wait until it is gone. Its data and port stay.

        Raises: InvalidRequest where it was given by URL: what was not started here is not killed.
        """
        ...

    def quit(self) -> None:
        """Ask it to end in order; returns at once, `is_gone` tells when it has. Raises: InvalidRequest."""
        ...

    def is_gone(self) -> bool:
        """Whether its process has ended."""
        ...

    def revive(self) -> None:
        """Start it again on the same data and port, once it is gone; returns at once. Raises: BrokerFailed."""
        ...

    def is_back(self) -> bool:
        """Whether it answers again. Raises: BrokerFailed when it ended at its start, or takes too long."""
        ...

    def restart(self) -> None:
        """Start it again on the same data and port, after an orderly end if it runs, and wait until it answers.

        Raises: BrokerFailed.
        """
        ...


@runtime_checkable
class CanForget(Protocol):
    """A broker that can come back empty, as on a new volume, and is of use to the app then."""

    def forget(self) -> None:
        """Throw away all that it stored. Only while it is gone. Raises: InvalidRequest."""
        ...


@runtime_checkable
class CanPause(Protocol):
    """A broker that can be made to hang: connections stay open, nothing is answered."""

    def pause(self) -> None:
        """Stop all of it in its tracks. Raises: InvalidRequest where it was given by URL."""
        ...

    def resume(self) -> None:
        """Let it go on. Safe to call twice, and when it was never paused."""
        ...


@runtime_checkable
class CanFill(Protocol):
    """A broker that can be made to take nothing more, while it still answers."""

    def fill(self) -> None:
        """From now on it takes nothing more. Blocks for a few seconds at most. Raises: InvalidRequest, BrokerFailed."""
        ...

    def clear(self) -> None:
        """It takes everything again. Safe to call twice, and when it was never full. Raises: BrokerFailed."""
        ...


@runtime_checkable
class CanLimitConnections(Protocol):
    """A broker that can be made to let nobody else in."""

    def limit_connections(self, spare: int) -> None:
        """From now on at most `spare` connections more than there are now. Raises: InvalidRequest, BrokerFailed."""
        ...

    def free_connections(self) -> None:
        """Everybody is let in again. Safe to call twice. Raises: BrokerFailed."""
        ...


@runtime_checkable
class CanEndSessions(Protocol):
    """A broker that can end single connections from its side, as an administrator does."""

    def end_sessions(self, ports: Iterable[int]) -> int:
        """End the connections that come from these ports of this machine. Returns how many there were. Raises: BrokerFailed."""
        ...


@runtime_checkable
class CanBeRead(Protocol):
    """A broker of which can be seen all that it stores."""

    def stored(self) -> Iterator[bytes]:
        """Every piece that it stores, names of keys and fields too, as the client that stored it gave it. Takes as long as there
        is much; nothing is changed. Raises: BrokerFailed, also for what of its data it cannot read.
        """
        ...
