"""Asks the live app what it is: `python -m jobharness_agent.inspect APP ANSWER` writes JSON to the file ANSWER.

`{"ok": true, "version", "settings", "tasks", "missing"}`, or `{"ok": false, "traceback"}` with the app's own traceback, once.
"""

import json
import os
import sys
import traceback

from . import boot


def main(app, answer_path):
    """Write the answer; always exits 0, the answer says what happened."""
    library = boot.library_module(os.environ["JOBHARNESS_LIBRARY"])
    try:
        answer = dict(library.inspect(app), ok=True)
    except BaseException as error:
        answer = {"ok": False, "traceback": _own_traceback(error)}
    answer["python"] = "%d.%d.%d" % sys.version_info[:3]
    with open(answer_path, "w", encoding="utf-8") as out:
        json.dump(answer, out, default=str)
    return 0


def _own_traceback(error):
    """The traceback without the frames of this agent, and without the chain of retries inside the library."""
    ours = os.path.dirname(os.path.abspath(__file__))
    kept = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not os.path.abspath(frame.filename).startswith(ours) and "importlib" not in frame.filename
    ]
    lines = ["Traceback (most recent call last):\n"] if kept else []
    lines += traceback.format_list(kept)
    lines += traceback.format_exception_only(type(error), error)
    return "".join(lines).rstrip()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1], sys.argv[2]))
