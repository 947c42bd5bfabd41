"""The bytes of one direction that are not yet whole messages."""

from __future__ import annotations

__all__ = ["Stream"]


class Stream:
    """Gathers chunks until there are enough to be worth looking at. `need`: how many bytes that takes; 0: any."""

    __slots__ = ("_chunks", "_size", "need")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self.need = 0

    def take(self, data: bytes) -> bytes | None:
        """Everything held with `data` behind it, or None while that is not enough. Cost: linear, also for a large message."""
        if not self._chunks:
            if len(data) >= self.need:
                return data
        elif self._size + len(data) >= self.need:
            self._chunks.append(data)
            whole = b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
            return whole
        self._chunks.append(data)
        self._size += len(data)
        return None

    def keep(self, rest: bytes, need: int) -> None:
        """Hold `rest`, which begins at a message's first byte, until there are `need` bytes."""
        self.need = need
        if rest:
            self._chunks.append(rest)
            self._size = len(rest)

    def held(self) -> bytes:
        """What is held."""
        return b"".join(self._chunks)
