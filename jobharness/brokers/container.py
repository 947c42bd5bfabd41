"""A server in a container, by testcontainers: the last of the providers, and the same verbs as a process of the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobharness.brokers.server import ContainerPlan
from jobharness.errors import BrokerFailed
from jobharness.processes.guardian import MARK

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = ["ContainerMachine"]

STOP_GRACE_S = 5


class ContainerMachine:
    """One container whose port is bound to a fixed loopback port, so that it comes back there after a kill.

    testcontainers' own reaper (Ryuk) removes it if this process is killed.
    """

    def __init__(self, image: str, plan: ContainerPlan, port: int, mark: str) -> None:
        logging.getLogger("testcontainers").setLevel(logging.WARNING)
        self._image, self._plan, self._port, self._mark = image, plan, port, mark
        self._container: DockerContainer | None = None

    def start(self) -> None:
        if self._container is not None:
            self._inner().start()
            return
        from docker.errors import DockerException
        from testcontainers.core.container import DockerContainer

        try:
            container = DockerContainer(self._image).with_kwargs(labels={MARK: self._mark})
            ports = {self._plan.port: self._port, **self._plan.more_ports}
            # `with_bind_ports` would open them on every address of the machine.
            bound: dict[str, Any] = {f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in ports.items()}
            container.ports = bound
            for name, value in self._plan.env.items():
                container.with_env(name, value)
            if self._plan.command is not None:
                container.with_command(list(self._plan.command))
            self._container = container
            container.start()
        except (DockerException, OSError) as error:
            raise BrokerFailed(f"the container of {self._image} could not be started: {error}") from error

    @property
    def gone(self) -> bool:
        if self._container is None:
            return True
        inner = self._inner()
        inner.reload()
        return str(inner.status) in ("exited", "dead")

    def kill(self) -> None:
        self.resume()
        self._inner().kill()
        self._inner().wait()

    def quit(self) -> None:
        self.halt()

    def halt(self) -> None:
        self.resume()
        self._inner().stop(timeout=STOP_GRACE_S)

    def forget(self) -> None:
        self.dispose()

    @property
    def pid(self) -> int:
        return 0

    def pause(self) -> None:
        self._inner().pause()

    def resume(self) -> None:
        inner = self._inner()
        inner.reload()
        if inner.status == "paused":
            inner.unpause()

    def dispose(self) -> None:
        if self._container is not None:
            self._container.stop(force=True, delete_volume=True)
            self._container = None

    def execute(self, tool: str, words: Sequence[str], within_s: float) -> tuple[int | None, str]:
        code, said = self._inner().exec_run([tool, *words])
        return code, said.decode("utf-8", "replace")

    def log_tail(self) -> str:
        if self._container is None:
            return ""
        return b"\n".join(self._inner().logs(tail=12).splitlines()).decode("utf-8", "replace")

    def _inner(self) -> Any:
        assert self._container is not None
        return self._container.get_wrapped_container()
