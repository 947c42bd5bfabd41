"""Connects to the app's broker as a producer does, and leaves: a library that makes its own tables makes them then.

Started as `python -m jobharness_agent.connect APP` with the agent's variables.
"""

import os
import sys

from . import boot

__all__ = ["main"]


def main(app):
    """Connect, and leave. Raises what the library does."""
    boot.library_module(os.environ["JOBHARNESS_LIBRARY"]).Sender(app).close()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(sys.argv[1])
