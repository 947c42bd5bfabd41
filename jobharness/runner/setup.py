"""What has to be done once in the broker before the first worker starts: migrations, schemas."""

from __future__ import annotations

from collections.abc import Callable

from jobharness.errors import ProcessFailed
from jobharness.processes.process import Process
from jobharness.processes.site import Site
from jobharness.queues.queue import NeedsSetup
from jobharness.runner.parts import Parts
from jobharness.runner.surroundings import Surroundings

__all__ = ["set_up"]

WITHIN_S = 120.0


def set_up(parts: Parts, around: Surroundings, site: Site, start: Callable[..., Process] = Process) -> None:
    """Run the scenario's setup commands, or else the library's own where the broker is the run's.

    Args: `start`: what starts a process of the app.

    A broker given by URL has its tables already, and they are not ours to make.

    Raises: ProcessFailed with a command's last lines.
    """
    commands = [around.command(words, f"queue.setup[{number}]") for number, words in enumerate(parts.scenario.queue.setup)]
    if not commands and parts.scenario.broker.url is None and isinstance(parts.queue, NeedsSetup):
        commands = [parts.queue.setup_command(around.python, parts.broker)]
    for command in filter(None, commands):
        env = around.for_process("setup", "setup")
        process = start("setup", command, env=env, folder=around.cwd, log=site.logs / "setup.log", mark=site.mark)
        code = process.wait(WITHIN_S)
        if code != 0:
            process.stop(grace_s=0)
            how = f"ended with code {code}" if code is not None else f"did not end within {WITHIN_S:g} s"
            raise ProcessFailed(f"setup ({' '.join(command)})", how, process.log_tail())
