"""Asks the live app what it is: `python -m jobharness_agent.inspect APP ANSWER` writes JSON to the file ANSWER.

`{"ok": true, "version", "settings", "tasks", "missing", "home", "packages"}`, or `{"ok": false, "traceback", "packages"}` with
the app's own traceback, once. `home` is the file of the app's module; `packages` are the installed ones with their versions.
"""

import json
import os
import sys
import traceback
from importlib.metadata import distributions

from . import apps, boot


def main(app, answer_path):
    """Write the answer; always exits 0, the answer says what happened."""
    library = boot.library_module(os.environ["JOBHARNESS_LIBRARY"])
    try:
        answer = dict(library.inspect(app), ok=True)
        answer["home"] = _home(app)
    except BaseException as error:
        answer = {"ok": False, "traceback": _own_traceback(error)}
    answer["packages"] = {one.metadata["Name"]: one.version for one in distributions()}
    answer["python"] = "%d.%d.%d" % sys.version_info[:3]
    with open(answer_path, "w", encoding="utf-8") as out:
        json.dump(answer, out, default=str)
    return 0


def _home(app):
    """The file of the app's module, which is imported by now; None where the name is no module's."""
    try:
        return getattr(apps.load(app)[0], "__file__", None)
    except Exception:
        return None


def _own_traceback(error):
    """The traceback as far as it is the app's, with its causes.

    Frames above the app's (this agent's, the library's loader) are left out.
    """
    while not _own_frames(error) and error.__context__ is not None:
        # A library that tries another way after the first has failed hides the reason: given "app:attribute", celery looks for a
        # module of that whole name last.
        error = error.__context__
    frames = _own_frames(error)
    lines = ["Traceback (most recent call last):\n"] if frames else []
    lines += traceback.format_list(frames)
    lines += traceback.format_exception_only(type(error), error)
    text = "".join(lines).rstrip()
    if error.__cause__ is None:
        return text
    joint = "\n\nThe above exception was the direct cause of the following exception:\n\n"
    return _own_traceback(error.__cause__) + joint + text


def _own_frames(error):
    """The frames from the first that is neither installed nor part of Python; none, where the app was never entered."""
    frames = traceback.extract_tb(error.__traceback__)
    for index, frame in enumerate(frames):
        if not _is_installed(frame.filename):
            return [one for one in frames[index:] if "importlib" not in one.filename]
    return []


def _is_installed(filename):
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    homes = [ours, os.path.dirname(os.__file__), *(path for path in sys.path if path.endswith("-packages"))]
    return filename.startswith("<") or any(os.path.abspath(filename).startswith(home + os.sep) for home in homes)


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1], sys.argv[2]))
