"""Steps where nothing can be read: each socket write of the worker is one, found again by its count since the job was sent.

An idle worker writes, too, and is answered: by their sizes in bytes such writes and answers are known, and none of them counts.
The same is said in a few bytes more or fewer at another time: Celery's polls tell the time in decimals. The first answer of
another size is the one that hands over the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jobharness.explore.transcript import Passing
from jobharness.wire.writes import Writes

__all__ = ["counted", "is_write", "sizes_of"]

VARIES_BY = range(-2, 3)  # Bytes.


def is_write(one: Passing) -> bool:
    """Whether it is of a connection of which only the writes are known."""
    return one.command in Writes.commands


def sizes_of(heard: Iterable[Passing]) -> dict[bool, frozenset[int]]:
    """How many bytes an idle worker writes at once (False), and is answered (True)."""
    sizes: dict[bool, set[int]] = {False: set(), True: set()}
    for one in heard:
        if is_write(one):
            sizes[one.is_reply].update(one.size_bytes + more for more in VARIES_BY)
    return {is_reply: frozenset(found) for is_reply, found in sizes.items()}


def counted(heard: Sequence[Passing], idle: dict[bool, frozenset[int]]) -> list[Passing]:
    """What was heard, without the writes and answers that do not count; the answer that hands over the job names it."""
    left = [one for one in heard if not is_write(one) or (one.command == "write" and one.size_bytes not in idle[one.is_reply])]
    take = next((n for n, one in enumerate(left) if is_write(one) and one.is_reply and not one.alike.startswith("@")), None)
    return [replace(one, names_job=n == take) if is_write(one) else one for n, one in enumerate(left)]
