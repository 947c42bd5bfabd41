"""How a job's id may stand in what a library says or stores: as it is, in other forms of a UUID, within base64."""

import base64
import functools
import uuid

__all__ = ["in_base64", "spellings"]

LONG = 16  # Letters of an id that no other text has by chance.


def spellings(job_id):
    """Every form, as bytes: as it is, a UUID also without dashes and as its 16 bytes, and each of these within base64."""
    found = [job_id.encode("utf-8")]
    try:
        known = uuid.UUID(job_id)
    except ValueError:
        pass
    else:
        found += [known.hex.encode("ascii"), str(known).encode("ascii"), known.bytes]
    return found + [spelt for one in found for spelt in in_base64(one)]


@functools.lru_cache(maxsize=64)
def in_base64(name):
    """An id within something that is in base64, such as a pickle: it may begin at any of three places there. Nothing for one
    so short that it may stand there by chance."""
    if len(name) < LONG:
        return ()
    whole = (base64.b64encode(b"\0" * shift + name)[-(-4 * shift // 3) :] for shift in range(3))
    # What stands beside it changes the first and the last characters.
    return tuple(spelt[: 4 * ((len(name) - 3) // 3)] for spelt in whole)
