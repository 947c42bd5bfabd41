"""Leads calls of named hosts to the upstream of the run, and tells it which job each request is for. The app keeps its URLs.

The variable `JOBHARNESS_UPSTREAM`, set by the harness, is JSON: `plain` and `tls`, ports on 127.0.0.1 (0: none); `ca`, the
file of the certificate that the one on `tls` was signed with; `origins`, a list of [host, port, "plain" or "tls"].

    getaddrinfo("api.example.com", 443) -> 127.93.0.1, which stands for that host -> connect(("127.93.0.1", 443)) -> 127.0.0.1:tls

The app's TLS stays what it is: it asks for the host by its name and checks its certificate, and a context that trusts anybody
trusts the run's certificate, too. So every library that calls Python's sockets or uvloop is led there. The job of a request is
told by a header, for which each HTTP library has a hook of its own: http.client (so urllib, urllib3, requests), httpx, aiohttp.
"""

import functools
import json
import socket
import ssl
import threading

from . import imports
from .wrapping import wrap

__all__ = ["HEADER", "attach"]

HEADER = "X-Jobharness-Job"
NETWORK = "127.93.0."  # Addresses that stand for the named hosts; nobody listens there.
LOOPBACK = "127.0.0.1"


def attach(environ, running):
    """Redirect, in this process and from now on. `running`: whom the requests are for."""
    table = json.loads(environ["JOBHARNESS_UPSTREAM"])
    places = _Places(table)
    if table["origins"]:
        _lead_sockets(places)
        imports.when_imported("uvloop", functools.partial(_lead_uvloop, places))
    if table["ca"]:
        _trust(table["ca"])
    imports.when_imported("http.client", functools.partial(_tell_by_http_client, places, running))
    imports.when_imported("httpx", functools.partial(_tell_by_httpx, places, running))
    imports.when_imported("aiohttp", functools.partial(_tell_by_aiohttp, places, running))


class _Places:
    """What is where: named hosts, the addresses that stand for them, and the ports of the upstream."""

    def __init__(self, table):
        self.ports = {port for port in (table["plain"], table["tls"]) if port}
        self.targets = {(host, port): table[how] for host, port, how in table["origins"]}
        hosts = sorted({host for host, _ in self.targets})
        self.addresses = {host: NETWORK + str(number) for number, host in enumerate(hosts, start=1)}
        self.hosts = {address: host for host, address in self.addresses.items()}

    def address_of(self, host):
        """What stands for a named host; any other as it is."""
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        return self.addresses.get(name.lower().rstrip("."), host) if isinstance(name, str) else host

    def target(self, address):
        """Where to connect instead of `(host, port, ...)`; None for there. Raises: ConnectionRefusedError."""
        if not isinstance(address, tuple) or not isinstance(address[0], str):
            return None
        host = self.hosts.get(self.address_of(address[0]))
        if host is None:
            return None
        port = self.targets.get((host, address[1]))
        if port is None:
            known = ", ".join(str(one) for name, one in self.targets if name == host)
            raise ConnectionRefusedError(
                "jobharness leads %s to its upstream, but not port %s (only %s); name it in upstream.hosts"
                % (host, address[1], known)
            )
        return LOOPBACK, port

    def has(self, host, port):
        """Whether a request for this host and port comes to the upstream."""
        return self.address_of(host) in self.hosts or (host in (LOOPBACK, "localhost") and port in self.ports)


def _lead_sockets(places):
    original = socket.getaddrinfo

    @functools.wraps(original)
    def getaddrinfo(host, *args, **kwargs):
        return original(places.address_of(host), *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
    for name in ("connect", "connect_ex"):
        setattr(socket.socket, name, _elsewhere(places, getattr(socket.socket, name)))


def _elsewhere(places, original):
    @functools.wraps(original)
    def connect(self, address):
        return original(self, places.target(address) or address)

    return connect


def _lead_uvloop(places):
    """It resolves and connects below Python. Its `Loop` is a class of Python's over one that cannot be changed."""
    from uvloop import Loop

    resolve, connect = Loop.getaddrinfo, Loop.create_connection

    @functools.wraps(resolve)
    async def getaddrinfo(self, host, *args, **kwargs):
        return await resolve(self, places.address_of(host), *args, **kwargs)

    @functools.wraps(connect)
    async def create_connection(self, factory, host=None, port=None, **kwargs):
        target = places.target((host, port))
        if target is not None:
            if kwargs.get("ssl") and kwargs.get("server_hostname") is None:
                kwargs["server_hostname"] = places.hosts.get(host, host)
            host, port = target
        return await connect(self, factory, host, port, **kwargs)

    Loop.getaddrinfo, Loop.create_connection = getaddrinfo, create_connection


def _trust(ca):
    """Let every context that trusts anybody trust the run's certificate, too."""
    within = threading.local()
    add = ssl.SSLContext.load_verify_locations

    def adding(original):
        @functools.wraps(original)
        def load(self, *args, **kwargs):
            answer = original(self, *args, **kwargs)
            if not getattr(within, "adding", False):
                within.adding = True
                try:
                    add(self, cafile=ca)
                finally:
                    within.adding = False
            return answer

        return load

    for name in ("load_verify_locations", "load_default_certs", "set_default_verify_paths"):
        setattr(ssl.SSLContext, name, adding(getattr(ssl.SSLContext, name)))


def _tell_by_http_client(places, running):
    from http.client import HTTPConnection

    @wrap(HTTPConnection, "endheaders")
    def endheaders(original, self, *args, **kwargs):
        if places.has(self.host, self.port) and running.key is not None:
            self.putheader(HEADER, running.key.hex())
        return original(self, *args, **kwargs)


def _tell_by_httpx(places, running):
    import httpx

    def tell(request):
        port = request.url.port or {"http": 80, "https": 443}.get(request.url.scheme)
        if places.has(request.url.host, port) and running.key is not None:
            request.headers[HEADER] = running.key.hex()

    @wrap(httpx.HTTPTransport, "handle_request")
    def handle_request(original, self, request):
        tell(request)
        return original(self, request)

    @wrap(httpx.AsyncHTTPTransport, "handle_async_request")
    async def handle_async_request(original, self, request):
        tell(request)
        return await original(self, request)


def _tell_by_aiohttp(places, running):
    import aiohttp

    @wrap(aiohttp.ClientRequest, "send")
    async def send(original, self, *args, **kwargs):
        if places.has(self.url.host, self.url.port) and running.key is not None:
            self.headers[HEADER] = running.key.hex()
        return await original(self, *args, **kwargs)
