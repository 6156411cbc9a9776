"""Downloading a URL that a manifest names: only http(s), only public addresses, within caps.

No proxy is used: behind one, the address that is reached could not be checked.
"""

import hashlib
import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from pipeline.sources.address import PinnedConnection, checked_addresses
from pipeline.sources.common import AssetError

MAX_REDIRECTS = 5
SECONDS = 1800.0
_CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_HEADERS = {"User-Agent": "layerloom", "Accept-Encoding": "identity", "Connection": "close"}


def download(url: str, into: Path, *, max_bytes: int, seconds: float = SECONDS, allow_private: bool = False) -> str:
    """Stream `url` to the file `into`, fsync it, and return the sha256 of its bytes in hex.

    Every address that the host resolves to is checked, at every redirect, and the connection goes to a
    checked address itself, so that a name cannot change its meaning in between. Raises AssetError, naming the
    URL, for any other scheme, credentials in the URL, a non-public address (unless `allow_private`), more
    than 5 redirects or one from https to http, an answer other than 200, more than `max_bytes`, more than
    `seconds` in all, or a body shorter than announced.
    """
    deadline = time.monotonic() + seconds
    target = url
    for _ in range(MAX_REDIRECTS + 1):
        parts = parse_url(target)
        try:
            with _answer(parts, deadline, allow_private) as response:
                if response.status not in _REDIRECTS:
                    return _save(response, target, into, max_bytes)
                target = next_url(parts, response.headers.get("Location", ""))
        except _OutOfTime:
            raise AssetError(f"{target} took longer than {seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise AssetError(f"{target} cannot be fetched: {error or type(error).__name__}") from None
    raise AssetError(f"{url} redirects more than {MAX_REDIRECTS} times")


class _OutOfTime(Exception):  # noqa: N818
    """The deadline passed."""


def parse_url(url: str) -> SplitResult:
    """Split a URL. Raises AssetError unless it is http(s) with a host, a valid port and no credentials."""
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not url.lower().startswith(("http://", "https://")):
        raise AssetError(f"{url} is not fetched: only http:// and https:// are")
    if not valid:
        raise AssetError(f"{url} is not a URL: its host or port is missing or malformed")
    if "@" in parts.netloc:
        raise AssetError(f"{parts.scheme}://...@{parts.hostname} is not fetched: a manifest must not hold credentials")
    return parts


def next_url(parts: SplitResult, location: str) -> str:
    """Where a redirect from `parts` leads. Raises AssetError if nowhere, or from https down to http."""
    url = parts.geturl()
    target = urljoin(url, location)
    if not location:
        raise AssetError(f"{url} redirects without saying where")
    if parts.scheme == "https" and target.lower().startswith("http:"):
        raise AssetError(f"{url} redirects from https to {target}")
    return target


@contextmanager
def _answer(parts: SplitResult, deadline: float, allow_private: bool) -> Iterator[http.client.HTTPResponse]:
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = checked_addresses(parts.hostname, port, allow_private=allow_private)
    connection = PinnedConnection(parts.hostname, port, addresses, tls=parts.scheme == "https")
    # A server that drips one byte at a time never meets a socket's own time-out.
    watchdog = threading.Timer(max(deadline - time.monotonic(), 0), connection.cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request("GET", _request_target(parts), headers=_HEADERS)
        with connection.getresponse() as response:
            yield response
        connection.check_time()  # the end of a body may be no more than where it was cut
    except (OSError, http.client.HTTPException):
        if connection.was_cut:
            raise _OutOfTime from None
        raise
    finally:
        watchdog.cancel()
        connection.close()


def _request_target(parts: SplitResult) -> str:
    query = f"?{parts.query}" if parts.query else ""
    return quote((parts.path or "/") + query, safe="!#$%&'()*+,/:;=?@[]~")


def _save(response: http.client.HTTPResponse, url: str, into: Path, max_bytes: int) -> str:
    if response.status != 200:
        raise AssetError(f"{url} answered {response.status} {response.reason}")
    announced = response.length
    if announced is not None and announced > max_bytes:
        raise AssetError(f"{url} has {announced:,} bytes, and max_mb leaves it {max_bytes:,}")
    digest, size = hashlib.sha256(), 0
    with into.open("wb") as out:
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise AssetError(f"{url} has more than the {max_bytes:,} bytes that max_mb leaves it")
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if announced is not None and size != announced:
        raise http.client.HTTPException(f"it ended after {size:,} of {announced:,} bytes")
    return digest.hexdigest()
