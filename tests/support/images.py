"""Images of this machine's own servers for a Docker engine that can pull none: what a server needs, packed and imported.

They stand for the official images: the same ports, environment variables, entry points and places of the data.
"""

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["IMAGE", "IMAGES", "Image", "docker"]

IMAGE = "jobharness-test-{}:local"

START_POSTGRES = """#!/bin/sh
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
as_postgres() { setpriv --reuid=999 --regid=999 --clear-groups "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    chown 999:999 "$PGDATA"
    as_postgres initdb -D "$PGDATA" -U postgres --auth="$POSTGRES_HOST_AUTH_METHOD" --locale=C --encoding=UTF8 --no-sync
    echo "host all all all $POSTGRES_HOST_AUTH_METHOD" >> "$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=999 --regid=999 --clear-groups "$@"
"""
START_RABBITMQ = """#!/bin/bash
set -e
exec "$@"
"""


@dataclass(frozen=True)
class Image:
    """What an image consists of.

    `programs`: by name, put into /bin; `places`: patterns of files and whole folders, at their own place; with what they link to.
    `texts`: path -> contents, executable where it begins with #!; `changes`: as `docker import --change` takes them.
    """

    programs: Sequence[str]
    changes: Sequence[str]
    places: Sequence[str] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """What of it this machine does not have."""
        absent = [name for name in self.programs if _program(name) is None]
        return absent + [pattern for pattern in self.places if not _places(pattern)]

    def pack(self, archive: Path) -> None:
        """Write it as a tar archive."""
        places = [place for pattern in self.places for place in _places(pattern)]
        programs = {name: _program(name) for name in self.programs}
        inside = [path for place in places for path in (place, *place.rglob("*")) if path.is_file() and not path.is_symlink()]
        binaries = [path.resolve() for path in (*programs.values(), *inside) if _is_elf(path)]
        with tarfile.open(archive, "w") as tar:
            for name, path in programs.items():
                tar.add(path.resolve(), f"bin/{name}")
            for place in places:
                tar.add(place, str(place))
            for library in sorted(_linked(binaries)):
                tar.add(Path(library).resolve(), library)
            for name, text in self.texts.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
                tar.addfile(entry, io.BytesIO(text.encode()))
            shared = tarfile.TarInfo("tmp")
            shared.type, shared.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(shared)

    def import_into(self, engine: str, kind: str, archive: Path) -> str:
        """Its name in the engine, once it is there."""
        self.pack(archive)
        words = [
            word
            for change in (*self.changes, "ENV PATH=/bin:/usr/lib/rabbitmq/bin:/usr/lib/erlang/bin")
            for word in ("-c", change)
        ]
        done = docker(engine, "import", *words, str(archive), IMAGE.format(kind))
        assert done.returncode == 0, done.stderr
        return IMAGE.format(kind)


def docker(address, *words):
    """The `docker` command, asked of an engine."""
    return subprocess.run(["docker", "-H", address, *words], capture_output=True, text=True, check=False)


def _program(name):
    found = shutil.which(name)
    return Path(found) if found is not None else None


def _places(pattern):
    return sorted(Path("/").glob(pattern.lstrip("/")))


def _is_elf(path):
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _linked(binaries):
    said = subprocess.run(["ldd", *binaries], capture_output=True, text=True, check=False).stdout  # It fails for a static binary.
    return {path for path in re.findall(r"(/\S+)", said) if not path.endswith(":") and Path(path).exists()}


SHELL = (
    "sh",
    "bash",
    "basename",
    "cat",
    "chown",
    "dirname",
    "env",
    "grep",
    "hostname",
    "id",
    "ls",
    "mkdir",
    "readlink",
    "rm",
    "sed",
    "uname",
)
IMAGES = {
    "redis": Image(("redis-server",), ("EXPOSE 6379",)),
    # As in the official image, the server is given its options alone.
    "nats": Image(("nats-server",), ("EXPOSE 4222", 'ENTRYPOINT ["nats-server"]')),
    "postgres": Image(
        (*SHELL, "setpriv"),
        (
            "EXPOSE 5432",
            "ENV PGDATA=/var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            """CMD ["postgres", "-c", "listen_addresses=*", "-c", "unix_socket_directories=/tmp"]""",
        ),
        places=(
            "/usr/lib/postgresql/*/bin/initdb",
            "/usr/lib/postgresql/*/bin/postgres",
            "/usr/lib/postgresql/*/lib/plpgsql.so",
            "/usr/lib/postgresql/*/lib/dict_snowball.so",
            "/usr/share/postgresql/*",
            "/usr/share/zoneinfo/Etc",
        ),
        texts={
            "bin/docker-entrypoint.sh": START_POSTGRES,
            "etc/passwd": "root:x:0:0::/:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\n",
        },
    ),
    "rabbitmq": Image(
        SHELL,
        (
            "EXPOSE 5672 15672",
            "ENV HOME=/var/lib/rabbitmq",
            "VOLUME /var/lib/rabbitmq",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["rabbitmq-server"]',
        ),
        places=("/usr/lib/erlang", "/usr/lib/rabbitmq"),
        texts={
            "bin/docker-entrypoint.sh": START_RABBITMQ,
            "etc/rabbitmq/rabbitmq.conf": "loopback_users = none\nlog.console = true\n",
            "var/log/rabbitmq/empty": "",
        },
    ),
}
