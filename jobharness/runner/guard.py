"""Never production: nothing outside this machine is reached unless a scenario says so twice, and what looks like production
three times.

Every text of a scenario that names a place is looked at, whichever key holds it, so that a new key is guarded from its first day;
then what the app's processes inherit from this one. A name is judged by what it resolves to, not by how it looks.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil

from jobharness.errors import ScenarioInvalid
from jobharness.scenario.addresses import STORES, Place, betrays, normal, places_in
from jobharness.scenario.model import Scenario

__all__ = ["Guard", "Resolved", "resolved"]

PRODUCTION = ("prod", "production", "live", "prd")
_SKIPPED = frozenset(
    (
        "title", "owner", "expected", "rollback", "known_gap", "before", "tags", "environment", "hosts", "confirm", "production",
        "process", "allow_processes", "gate", "report", "crashmap", "lease",
    )
)  # fmt: skip
"""Words for people, and what allows: nothing is reached by these."""
_PLACEHOLDER = re.compile(r"\{(broker|upstream|peer|service|run|prometheus|sentry)\.[a-z0-9_-]+\}")
_NAMES_A_HOST = re.compile(r"(^|[_.])(hosts?|hostname|hostaddr|servers?|addr|address|endpoint|brokers?)$", re.IGNORECASE)
_INHERITED_HOSTS = ("PGHOST", "PGHOSTADDR")

Resolved = tuple[tuple[str, ...], str]
"""The addresses of a host, and the name that it is another name for ("" for none)."""


def resolved(host: str) -> Resolved:
    """What this machine resolves a host to; no address where it cannot. Blocks for as long as the resolver takes."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except (OSError, UnicodeError):
        return (), ""
    return tuple(dict.fromkeys(str(one[4][0]) for one in found)), found[0][3]


class Guard:
    """Of one scenario. `where`: what mistakes are reported against.

    Args: `resolve`: how a host becomes addresses; `environ`: what the app's processes inherit.
    """

    def __init__(
        self,
        scenario: Scenario,
        where: str = "scenario",
        resolve: Callable[[str], Resolved] = resolved,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._scenario, self._where, self._resolve = scenario, where, resolve
        self._environ = os.environ if environ is None else environ
        self._allowed = {normal(host) for host in scenario.hosts}
        self._words = (*PRODUCTION, *scenario.production)
        led = scenario.upstream.hosts if scenario.upstream is not None else ()
        self._led = {place.host for origin in led for place in places_in(origin, bare=True)}

    def check(self) -> None:
        """Look at all that the scenario and the environment name. Raises: ScenarioInvalid with the key, and what to do."""
        plain = self._scenario.model_dump(by_alias=True, exclude_unset=True)
        for key, text in _texts({name: value for name, value in plain.items() if name not in _SKIPPED}):
            if not key.startswith("upstream.hosts"):
                self._check_text(key, text)
        for number, hook in enumerate(self._scenario.webhook):
            if hook.url_env:
                self.check_url(f"webhook[{number}].url_env ({hook.url_env})", self._environ.get(hook.url_env, ""))
        self._check_inherited()

    def check_url(self, key: str, address: str) -> None:
        """Look at one address that is to be reached, such as a load test's host. Raises: ScenarioInvalid."""
        for place in self._places(key, address, bare=True):
            self._check_place(key, place)

    def check_setting(self, name: str, text: str) -> None:
        """Look at what a variable of `queue.env` is to be. Raises: ScenarioInvalid."""
        self._check_text(f"queue.env.{name}", text)

    def _check_text(self, key: str, text: str) -> None:
        arguments = re.match(r"workload\.job\[\d+\]\.(.*\.)?(args|kwargs|options)\b", key) is not None
        if arguments and (not re.fullmatch(r"[A-Za-z][\w+.\-]*://\S+", text) or "{" in text):
            return  # A text in which an address is quoted, or one that is made up later, is data.
        if _PLACEHOLDER.fullmatch(text):
            return  # What the run itself gives; where that is an address of the scenario's own, it is looked at there.
        bare = key.startswith(("queue.env.", "queue.settings.")) and _names_a_host(key)
        for place in self._places(key, _PLACEHOLDER.sub("1", text), bare=bare):
            if place.host not in self._led:
                self._check_place(key, place)

    def _check_inherited(self) -> None:
        """What a shell holds, and a worker would inherit: the stores alone, since tools of all kinds have their URLs there."""
        own = self._scenario.queue.env
        for name, text in self._environ.items():
            scheme = text.partition("://")[0].partition("+")[0].lower()
            if name in own or not (scheme in STORES or name in _INHERITED_HOSTS):
                continue
            for place in self._places(f"the environment variable {name}", text, bare=name in _INHERITED_HOSTS):
                hint = f"the app's processes would inherit it: unset it, or give {name} in queue.env. "
                self._check_place(f"the environment variable {name}", place, hint)

    def _places(self, key: str, text: str, *, bare: bool) -> list[Place]:
        try:
            return list(places_in(text, bare=bare))
        except ValueError as error:
            raise ScenarioInvalid(self._where, key, f"the address {error}") from error

    def _check_place(self, key: str, place: Place, hint: str = "") -> None:
        addresses, other_name = self._resolve(place.host) if place.host else ((), "")
        if place.host and not _is_here(place.host, addresses):
            self._check_outside(key, place.host, addresses, hint)
        # Also on this machine: a tunnel to production ends here.
        for name in filter(None, (*place.names, other_name if other_name != place.host else "")):
            word = betrays(name, self._words)
            if word is not None and name not in self._scenario.confirm:
                said = name if name != other_name else f"{place.host}, which is {name},"
                raise ScenarioInvalid(
                    self._where,
                    key,
                    f"{said} looks like production (the word {word!r}), and faults are never injected there. {hint}"
                    f'If it is no production, say so with confirm = ["{name}"]',
                )

    def _check_outside(self, key: str, host: str, addresses: tuple[str, ...], hint: str) -> None:
        if self._scenario.environment == "staging" and host in self._allowed:
            return
        where = f"it resolves to {addresses[0]}" if addresses and addresses[0] != host else "it cannot be resolved"
        seen = f" ({where})" if addresses[:1] != (host,) else ""
        raise ScenarioInvalid(
            self._where,
            key,
            f"{host} is not on this machine{seen}. {hint}jobharness injects faults and sends load, so it reaches nothing else by "
            "accident; give an address on 127.0.0.1, leave it out to have a server started, or, where it is a staging server, "
            'declare environment = "staging" and list the host in `hosts`',
        )


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text, keys of tables too (settings may be keyed by an address), with its dotted key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if "://" in str(name):
                yield key, str(name)
            yield from _texts(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{key}[{number}]")


def _names_a_host(key: str) -> bool:
    name = re.sub(r"\[\d+\]$", "", key)
    return "allowed" not in name.lower() and _NAMES_A_HOST.search(name) is not None


def _is_here(host: str, addresses: tuple[str, ...]) -> bool:
    """Whether all that a host resolves to is this machine. `localhost` is, also where nothing resolves it (RFC 6761)."""
    if not addresses:
        return host == "localhost"
    return all(_is_own(address) for address in addresses)


def _is_own(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified or str(ip) in _own_addresses()


def _own_addresses() -> set[str]:
    return {one.address.partition("%")[0] for found in psutil.net_if_addrs().values() for one in found}
