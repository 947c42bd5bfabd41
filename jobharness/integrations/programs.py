"""The programs that ring alarms, where they are, and what installs them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

__all__ = ["PROGRAMS", "Program"]


@dataclass(frozen=True)
class Program:
    """One program: the names that distributions give it, and Debian's package."""

    name: str
    commands: tuple[str, ...]
    package: str

    @property
    def path(self) -> str | None:
        """Where it is on this machine; None where it is not."""
        return next(filter(None, map(shutil.which, self.commands)), None)

    @property
    def install(self) -> str:
        """The command that installs it."""
        return f"apt-get install {self.package}"


PROGRAMS = (
    Program("prometheus", ("prometheus",), "prometheus"),
    Program("alertmanager", ("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager"),
    Program("promtool", ("promtool",), "prometheus"),
)
