"""A warm process: it has imported what workers import, and forks one for each that is asked for.

Started as `python -m jobharness_agent.zygote FD MODULES` with the app's path and without the agent's other variables; FD is one
end of a socket pair, MODULES a JSON list of modules to import: the library's, never the app's own, so that the app reads its
environment in the fork as in a process of its own, and no connection is shared. One that cannot be imported is left to the fork.
Of the agent's variables it has those of `moved_clock`, where the clocks of its forks are to be moved.

Asked, a JSON object a line: `{"argv", "env", "folder", "log", "keep"}`, with as many descriptors beside it as `keep` has numbers:
the fork has them under these numbers. Answered: `{"pid"}`, and `{"ended": pid, "code"}` when it has ended. `argv` is the
command as it would be typed: `PYTHON -m MODULE ...`, or a Python script and its arguments. It ends when the socket closes, and
its forks live on.
"""

import array
import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import sys

from . import boot, moved_clock

__all__ = ["main"]

ROOM = 1 << 20


def main(descriptor, modules):
    """Serve until the other end is gone."""
    control = socket.socket(fileno=descriptor)
    if os.environ.get("JOBHARNESS_CLOCK"):
        moved_clock.attach(os.environ, None)  # Before the libraries keep clocks of their own.
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:
            continue
    try:
        _read_what_is_installed()
    except Exception:
        pass  # As with a module: it is left to the forks.
    # What is imported is shared by all forks: the collector need not look through it, and so copy it, in each.
    gc.collect()
    gc.freeze()
    control.sendall(b'{"ready": true}\n')
    wake, ended = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(ended, False)
    signal.set_wakeup_fd(ended, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return _serve(control, wake)


def _read_what_is_installed():
    """Libraries look for their plugins and versions among all that is installed, which stays as it is while there are forks: read
    in each of them, it was a tenth of a worker's start."""
    import platform
    from importlib import metadata

    platform.platform()  # Celery's banner shows it, and to find it out a process is started.
    kind, names = metadata.PathDistribution, ("entry_points", "_normalized_name", "metadata")
    for name in names:
        if isinstance(getattr(kind, name, None), property):  # Python 3.8 has two of them.
            setattr(kind, name, property(_kept(getattr(kind, name).fget)))
    for one in metadata.distributions():
        # Who asks for a version is imported, and asks for his own.
        is_imported = one._path.name.partition("-")[0] in sys.modules
        for name in names if is_imported else names[:-1]:
            getattr(one, name, None)


def _kept(read):
    known = {}

    def kept(distribution):
        path = distribution._path
        if path not in known:
            known[path] = read(distribution)
        return known[path]

    return kept


def _serve(control, wake):
    import select

    pending = b""
    descriptors = []
    while True:
        readable, _, _ = select.select([control, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
            _tell_ended(control)
        if control in readable:
            data, received = _receive(control)
            if not data:
                return 0
            pending += data
            descriptors += received
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            asked = json.loads(line.decode("utf-8"))
            kept, descriptors = descriptors[: len(asked["keep"])], descriptors[len(asked["keep"]) :]
            pid = os.fork()
            if not pid:
                # What is raised from here on ends the fork, as it would end a process of its own.
                _become(asked, kept, control, wake)
            for one in kept:
                os.close(one)
            control.sendall(json.dumps({"pid": pid}).encode("ascii") + b"\n")


def _receive(control):
    numbers = array.array("i")
    data, beside, _, _ = control.recvmsg(ROOM, socket.CMSG_LEN(8 * numbers.itemsize))
    for level, kind, raw in beside:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(raw[: len(raw) - len(raw) % numbers.itemsize])
    return data, list(numbers)


def _tell_ended(control):
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        control.sendall(json.dumps({"ended": pid, "code": code}).encode("ascii") + b"\n")


def _become(asked, kept, control, wake):
    """In the fork: become the process that was asked for. Does not return."""
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _take_descriptors(asked, kept, (control.detach(), wake))
        os.environ.clear()
        os.environ.update(asked["env"])
        os.chdir(asked["folder"])
        random.seed()
        code = _run(asked["argv"])
    except SystemExit as end:
        code = _exit_code(end)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _end(code)


def _take_descriptors(asked, kept, own):
    for one in own:
        os.close(one)
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for number, one in ((0, nowhere), (1, log), (2, log), *zip(asked["keep"], kept)):  # noqa: B905  # Python 3.8 has no strict.
        if one != number:
            os.dup2(one, number)
        os.set_inheritable(number, True)
    for one in {log, nowhere, *kept} - {0, 1, 2, *asked["keep"]}:
        os.close(one)


def _run(argv):
    is_module = len(argv) > 2 and argv[1] == "-m"
    sys.argv = argv[2:] if is_module else argv[argv[0] == sys.executable :]
    # As the interpreter has it: the working folder for a module, the script's own for a script.
    sys.path[0] = os.getcwd() if is_module else os.path.dirname(os.path.realpath(sys.argv[0]))
    boot.start(os.environ)
    if is_module:
        runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


def _exit_code(end):
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write("%s\n" % (end.code,))
    return 1


def _end(code):
    """As the interpreter ends: threads are waited for, what was registered is run, and then nothing of the zygote's own."""
    import atexit
    import threading

    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[2])))
