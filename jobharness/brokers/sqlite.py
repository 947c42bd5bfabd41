"""SQLite: a file in the run's folder, or one given by URL. There is no server, so nothing of it can be killed or paused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from jobharness.brokers.broker import Provider
from jobharness.errors import BrokerFailed, InvalidRequest
from jobharness.processes.site import Site
from jobharness.scenario.model import BrokerSpec

__all__ = ["SqliteBroker"]

OLDEST = (3, 24)
BUSY_WITHIN_S = 5.0


class SqliteBroker:
    """One SQLite database as a file, `sqlite:////absolute/path`; the libraries make their own tables in it."""

    kind = "sqlite"
    package = "sqlite3"

    @classmethod
    def providers(cls) -> Iterable[Provider]:
        """Python carries it."""
        yield Provider("file", f"sqlite {sqlite3.sqlite_version}, of this Python", "")

    def __init__(self, spec: BrokerSpec) -> None:
        self._given = _path_of(spec.url) if spec.url is not None else None
        self._path = self._given
        self._started = False

    def live_in(self, folder: Path) -> None:
        """The file will be in this folder, unless it was given by URL."""
        if self._given is None:
            self._path = folder / "broker.sqlite3"

    @property
    def path(self) -> Path:
        """The file. Known once it was told its folder."""
        if self._path is None:
            raise BrokerFailed("the SQLite file has no place yet: it is told the run's folder first")
        return self._path

    @property
    def url(self) -> str:
        """Its address, as SQLAlchemy writes it."""
        return f"sqlite:///{self.path}"

    @property
    def version(self) -> str:
        """The version of the SQLite library of this Python; the app's may be another."""
        return sqlite3.sqlite_version if self._started else ""

    @property
    def provider(self) -> str:
        """How it was had, for the report."""
        if not self._started:
            return "not started"
        return f"sqlite {self.version} ({'given by URL' if self._given else 'file'} {self.path})"

    def start(self, site: Site) -> None:
        """Make the file, or open the given one. Raises: BrokerFailed."""
        self.live_in(site.data)
        if sqlite3.sqlite_version_info < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise BrokerFailed(f"this Python has SQLite {sqlite3.sqlite_version}; jobharness needs {oldest} or newer")
        if self._given is not None and not self._given.exists():
            raise BrokerFailed(f"there is no SQLite file {self._given}; check broker.url, or leave it out to have one made")
        connection = self.client()
        try:
            connection.execute("PRAGMA schema_version")
            # The mode that stays in the file: readers (the harness counts) then never block the app's writers.
            if self._given is None:
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.DatabaseError as error:
            raise BrokerFailed(f"{self.path} is no SQLite database that can be read ({error})") from error
        finally:
            connection.close()
        self._started = True

    def is_ready(self) -> bool:
        """Whether the file can be read now."""
        try:
            connection = self.client()
        except BrokerFailed:
            return False
        try:
            connection.execute("PRAGMA schema_version")
        except sqlite3.DatabaseError:
            return False
        finally:
            connection.close()
        return True

    def client(self) -> sqlite3.Connection:
        """A new connection that commits each statement; the caller closes it. Raises: BrokerFailed."""
        try:
            return sqlite3.connect(self.path, timeout=BUSY_WITHIN_S, isolation_level=None)
        except sqlite3.Error as error:
            raise BrokerFailed(f"{self.path} cannot be opened ({error})") from error

    def stop(self) -> None:
        """Nothing: the file goes with the run's folder. Safe to call twice."""


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or not parts.path.startswith("//"):
        raise InvalidRequest(f"broker.url: {url} is no address of a SQLite file; it looks like sqlite:////absolute/path.sqlite3")
    return Path(unquote(parts.path[1:]))
