"""Which addresses may be reached, and a connection that goes to exactly those."""

import http.client
import ipaddress
import socket
import ssl
from contextlib import suppress

from pipeline.sources.common import AssetError

_SOCKET_SECONDS = 30.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is the last 32 bits


def is_public(address: str) -> bool:
    """Whether an IP address is globally reachable unicast; an embedded IPv4 address is judged in its place."""
    ip = _unwrapped(ipaddress.ip_address(address))
    local = ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_unspecified
    special = ip.is_multicast or ip.is_reserved or (isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local)
    return ip.is_global and not local and not special


def checked_addresses(host: str, port: int, *, allow_private: bool = False) -> list[str]:
    """All addresses of `host`, in the resolver's order.

    Raises AssetError if it has none, or if a single one is not public (unless `allow_private`).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AssetError(f"host {host!r} cannot be resolved: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    refused = [] if allow_private else [a for a in addresses if not is_public(a)]
    if refused:
        raise AssetError(f"host {host!r} is {refused[0]}, which is not a public address: not fetched")
    return addresses


class PinnedConnection(http.client.HTTPConnection):
    """An HTTP(S) connection that names `host` but connects to the first of `addresses` that answers."""

    def __init__(self, host: str, port: int, addresses: list[str], *, tls: bool) -> None:
        super().__init__(host, port, timeout=_SOCKET_SECONDS)
        self.default_port = 443 if tls else 80
        self._addresses = addresses
        self._context = ssl.create_default_context() if tls else None
        self._live: socket.socket | None = None
        self.was_cut = False

    def connect(self) -> None:
        """Connect; with TLS the certificate is checked against `host`. Raises OSError."""
        self.sock = self._live = self._first_answer()
        self.check_time()
        if self._context is not None:
            wrapped = self._context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self._live = wrapped
            wrapped.do_handshake()

    def cut(self) -> None:
        """End the connection from another thread: whatever waits on it sees its end."""
        self.was_cut = True
        if self._live is not None:
            with suppress(OSError):
                # Not SSLSocket.shutdown, which would take the TLS state from under the reader.
                socket.socket.shutdown(self._live, socket.SHUT_RDWR)

    def check_time(self) -> None:
        """Raise TimeoutError once the connection was cut."""
        if self.was_cut:
            raise TimeoutError("out of time")

    def _first_answer(self) -> socket.socket:
        error = OSError("no address")
        for address in self._addresses:
            self.check_time()
            try:
                return socket.create_connection((address, self.port), _SOCKET_SECONDS)
            except OSError as failed:
                error = failed
        raise error


def _unwrapped(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
