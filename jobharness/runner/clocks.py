"""The clocks of the workers, where a fault moves them: a file for each worker, which its processes look at."""

from __future__ import annotations

import importlib.util
import mmap
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobharness.agent.moved_clock import LAYOUT, SIZE
from jobharness.clock import NS_PER_S
from jobharness.errors import ExtraMissing, InvalidRequest

__all__ = ["ClockPlan", "Clocks"]

FREEZEGUN = ("freezegun", "dateutil", "six")  # With what it imports: all in Python, so they run in any.
LIBFAKETIME = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)


@dataclass(frozen=True)
class ClockPlan:
    """How the workers of a run get clocks that can be moved: `library` is libfaketime's file, or None for freezegun."""

    library: Path | None

    @classmethod
    def through(cls, wanted: Sequence[str], command: Sequence[str]) -> ClockPlan:
        """The way that the faults ask for ("" for any), for workers of this command (empty: their library's own, in Python).

        Raises: InvalidRequest, ExtraMissing where it is not there.
        """
        ways = sorted({way for way in wanted if way})
        if len(ways) > 1:
            raise InvalidRequest(f"the clocks of a run are moved one way; the faults ask for {' and '.join(ways)}")
        if not _in_python(command):
            if ways == ["freezegun"]:
                raise InvalidRequest(
                    f"freezegun moves clocks inside Python, and the worker's command is {command[0]!r}; use "
                    'through = "libfaketime"'
                )
            ways = ["libfaketime"]
        if ways == ["libfaketime"]:
            return cls(_libfaketime())
        for package in FREEZEGUN:
            if importlib.util.find_spec(package) is None:
                raise ExtraMissing(package, "clock", 'the fault "clock"')
        return cls(None)

    def __str__(self) -> str:
        """How, for the report."""
        return f"libfaketime ({self.library})" if self.library is not None else "freezegun"


def _in_python(command: Sequence[str]) -> bool:
    """Whether a worker's command runs Python: by its name, or by the first line of the script that it is."""
    if not command or Path(command[0]).name.startswith("python"):
        return True
    found = shutil.which(command[0])
    if found is None:
        return True  # A script beside the app's interpreter, which is looked for later.
    with Path(found).open("rb") as file:
        return b"python" in file.readline(256)


def _libfaketime() -> Path:
    for pattern in LIBFAKETIME:
        for found in sorted(Path("/").glob(pattern.lstrip("/"))):
            return found
    raise InvalidRequest(
        f"libfaketime is not installed (looked for {', '.join(LIBFAKETIME)}); install it with: apt-get install faketime"
    )


class Clocks:
    """The clocks of one run. `folder` is made; it goes with the run's data, and with it every moved clock."""

    def __init__(self, plan: ClockPlan, folder: Path) -> None:
        self._plan, self._folder = plan, folder
        self._shared: dict[str, mmap.mmap] = {}
        self._workers: set[str] = set()
        folder.mkdir(parents=True)
        if plan.library is None:
            _carry_freezegun(folder / "library")

    def env_for(self, worker: str) -> dict[str, str]:
        """What a worker's environment must have so that its clock can be moved."""
        self._workers.add(worker)
        if self._plan.library is None:
            self._map(worker)
            return {"JOBHARNESS_CLOCK": str(self._folder / worker), "JOBHARNESS_CLOCK_LIBRARY": str(self._folder / "library")}
        if not (self._folder / worker).exists():
            self._tell_libfaketime(worker, 0.0)
        return {
            "JOBHARNESS_CLOCK": "libfaketime",
            "LD_PRELOAD": str(self._plan.library),
            "FAKETIME_TIMESTAMP_FILE": str(self._folder / worker),
            "FAKETIME_NO_CACHE": "1",  # A jump is seen at once.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # Its name before 0.9.8.
            "NO_FAKE_STAT": "1",
        }

    @property
    def workers(self) -> Sequence[str]:
        """The names of all workers that were started with such a clock."""
        return sorted(self._workers)

    def move(self, worker: str, by_s: float, label: str) -> None:
        """Let a worker's clock be so much ahead of the machine's (less than 0: behind), because of the fault `label`."""
        if self._plan.library is not None:
            self._tell_libfaketime(worker, by_s)
        else:
            self._map(worker)[:SIZE] = LAYOUT.pack(round(by_s * NS_PER_S), label.encode())

    def _map(self, worker: str) -> mmap.mmap:
        if worker not in self._shared:
            path = self._folder / worker
            path.write_bytes(bytes(SIZE))
            with path.open("r+b") as file:
                self._shared[worker] = mmap.mmap(file.fileno(), SIZE)
        return self._shared[worker]

    def _tell_libfaketime(self, worker: str, by_s: float) -> None:
        hidden = self._folder / f"{worker}.new"
        hidden.write_text(f"{by_s:+.6f}\n", encoding="ascii")
        hidden.rename(self._folder / worker)


def _carry_freezegun(folder: Path) -> None:
    """Links to the harness's freezegun alone, for apps that have none: never the harness's other packages."""
    folder.mkdir()
    for package in FREEZEGUN:
        for place in _places_of(package):
            (folder / place.name).symlink_to(place)


def _places_of(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None  # Found when the plan was made.
    origin = Path(spec.origin)
    yield origin.parent if origin.name == "__init__.py" else origin
