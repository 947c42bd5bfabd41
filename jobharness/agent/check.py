"""Asks a function of the app what is wrong with its data: `python -m jobharness_agent.check MODULE:FUNCTION ANSWER` writes JSON
to the file ANSWER.

`{"ok": true, "wrong": [text, ...]}`, or `{"ok": false, "traceback"}`. The function returns what is wrong, as anything that can be
gone through; nothing, None or True: all is well; False, or an AssertionError: something is.
"""

import json
import os
import sys
import traceback

from . import apps


def main(function, answer_path):
    """Write the answer; always exits 0, the answer says what happened."""
    try:
        answer = {"ok": True, "wrong": _wrong(function)}
    except BaseException:
        answer = {"ok": False, "traceback": traceback.format_exc(limit=-3)}
    with open(answer_path, "w", encoding="utf-8") as out:
        json.dump(answer, out)
    return 0


def _wrong(name):
    _, function = apps.load(name)
    try:
        found = function()
    except AssertionError as error:
        return [str(error) or "an assertion failed"]
    if found is None or found is True:
        return []
    if found is False:
        return ["it returned False"]
    return [found] if isinstance(found, str) and found else [str(one) for one in found]


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1], sys.argv[2]))
