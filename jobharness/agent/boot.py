"""Loads the agent into this process by environment alone, before the app is imported.

Variables, all set by the harness:

- `JOBHARNESS_HISTORY`: folder for record files. Without it the agent does nothing.
- `JOBHARNESS_ROLE`: worker, producer, service, scheduler or inspector.
- `JOBHARNESS_NAME`: the process's name in the scenario, such as `worker-1`.
- `JOBHARNESS_LIBRARY`: a module of `libraries/`, or the path of a Python file of the same shape.
- `JOBHARNESS_APP`: the app, as the scenario names it. `JOBHARNESS_COMMAND`: JSON of the worker's command.
- `JOBHARNESS_TASKS`: JSON of the names of the tasks that the workload sends.
- `JOBHARNESS_METHODS`: JSON of what a home-grown queue's methods are called; for the library `python` alone.
- `JOBHARNESS_MISHAPS`: folder of orders to executions of tasks (see `mishaps`); set where a fault of the scenario needs it.
- `JOBHARNESS_UPSTREAM`: JSON of where the upstream is, and of the hosts that are led to it (see `redirect`).
- `JOBHARNESS_CLOCK`, `JOBHARNESS_CLOCK_LIBRARY`: where a fault may move the clock of this process (see `moved_clock`).
- `JOBHARNESS_SHIP`: host:port of a collector of records; `JOBHARNESS_NODE`, `JOBHARNESS_SHIP_TOKEN`: see `shipper`.
- `JOBHARNESS_POOL`: the kind of pool that the scenario asks for, or nothing.
- `JOBHARNESS_SETTINGS`: JSON of queue settings that the library's module lays over the app's own.

A library's module has `WATCH`, a dict of module name -> function(recorder, settings), called once that module
has been imported, the same for `AROUND` with function(mishaps), attached before it, and what `producer` and `inspect`
ask of it (see `libraries/__init__`).
"""

import atexit
import importlib
import importlib.util
import json
import os
import sys

from . import imports
from .recorder import Recorder

__all__ = ["library_module", "recorder", "settings", "start"]

recorder = None  # The one recorder of this process, once started.


def start(environ):
    """Start recording if the environment asks for it, and watch for the library's import."""
    global recorder
    folder = environ.get("JOBHARNESS_HISTORY")
    if not folder or recorder is not None:
        return
    library = environ.get("JOBHARNESS_LIBRARY", "")
    recorder = Recorder(folder, environ.get("JOBHARNESS_ROLE", "worker"), environ.get("JOBHARNESS_NAME", "process"), library)
    atexit.register(recorder.close)
    if environ.get("JOBHARNESS_SHIP"):
        _ship(environ)
    if environ.get("JOBHARNESS_CLOCK"):
        _move_clock(environ)
    if environ.get("JOBHARNESS_UPSTREAM"):
        _lead_to_upstream(environ)
    if environ.get("JOBHARNESS_STEPS"):
        imports.when_imported("sqlite3", _watch_statements)
    if library:
        # First, so that they are nearest to the task's own code: what goes wrong there is recorded like the task's own failure.
        if environ.get("JOBHARNESS_MISHAPS"):
            _expect_mishaps(environ["JOBHARNESS_MISHAPS"], library_module(library))
        for module, attach in library_module(library).WATCH.items():
            imports.when_imported(module, _attacher(attach, settings(environ)))


def _ship(environ):
    from . import shipper

    try:
        shipper.ensure(environ)
    except (OSError, ValueError) as error:
        # The records stay in the folder; the app must not pay for it.
        sys.stderr.write("jobharness: cannot ship the records of %s: %s\n" % (environ["JOBHARNESS_HISTORY"], error))


def _move_clock(environ):
    from . import moved_clock

    moved_clock.attach(environ, recorder)


def _lead_to_upstream(environ):
    from . import redirect
    from .running import Running

    running = Running()
    # Before anything is attached: libraries' instrumentation takes `record` from the recorder when it is.
    recorder.record = running.noting(recorder.record)
    redirect.attach(environ, running)


def _watch_statements():
    from . import statements

    statements.attach(recorder, os.environ)


def _expect_mishaps(folder, library):
    from .mishaps import Mishaps

    mishaps = Mishaps(folder, recorder)
    for module, attach in getattr(library, "AROUND", {}).items():
        imports.when_imported(module, _attacher_of(attach, mishaps))


def _attacher_of(attach, mishaps):
    return lambda: attach(mishaps)


def settings(environ=os.environ):
    """The scenario's settings, to be laid over the app's own."""
    return json.loads(environ.get("JOBHARNESS_SETTINGS") or "{}")


def _attacher(attach, chosen):
    return lambda: attach(recorder, chosen)


def library_module(library):
    """The module that instruments `library`: one of ours by name, or a file by path."""
    if not library.endswith(".py"):
        return importlib.import_module("jobharness_agent.libraries." + library)
    name = "jobharness_agent.libraries." + os.path.splitext(os.path.basename(library))[0] + "_file"
    spec = importlib.util.spec_from_file_location(name, library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
