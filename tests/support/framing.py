"""Feeding a framing in pieces."""

from hypothesis import strategies as st

__all__ = ["chopped", "fed"]


def chopped(stream):
    """Strategy: the stream in pieces of any size."""
    cuts = st.lists(st.integers(0, len(stream)), max_size=12).map(sorted)
    return cuts.map(lambda at: [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True) if a < b])


def fed(framing, direction, pieces):
    """`(messages, bytes)`: what a gated link would pass on, the unframed rest included."""
    messages, passed = [], b""
    for piece in pieces:
        if framing.lost:
            passed += piece
            continue
        new = framing.feed(direction, piece)
        messages += new
        passed += b"".join(message.raw for message in new)
        if framing.lost:
            passed += framing.rest(direction)
    return messages, passed if framing.lost else passed + framing.rest(direction)
