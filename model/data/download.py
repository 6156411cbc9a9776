"""Files over http(s): bounded, retried, whole or not at all."""

import fcntl
import hashlib
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.error import HTTPError

_TRIES = 5
_FIRST_PAUSE = 0.5  # seconds, doubled each time
_TIMEOUT = 60  # seconds without a byte
_BLOCK = 1 << 20
_RETRIED = (408, 425, 429)  # and all from 500

Result = TypeVar("Result")


class DataError(ValueError):
    """A data set that cannot be read; the text names file or address, key and what is wrong."""


class MissingError(DataError):
    """A file that is not there."""


class _TransferError(Exception):
    """What came is not what was asked for; another try may help."""


def _opener() -> urllib.request.OpenerDirector:
    """http and https alone: the usual opener also follows a redirect to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def read_whole(url: str, most: int) -> bytes:
    """The bytes at an address, `most` of them at most. Raises MissingError for 404 and 410, else DataError."""

    def receive(response: HTTPResponse) -> bytes:
        said = response.length  # None where the server does not tell
        data = b"".join(_blocks(response, most))
        if said is not None and len(data) != said:
            raise _TransferError(f"cut short: {len(data)} of {said} bytes")
        return data

    return _fetch(url, receive)


def download(url: str, path: Path, num_bytes: int, sha256: str) -> Path:
    """Copy an address to `path` unless it is there; it appears whole, with that size and SHA-256, or not at all.

    Processes that want one file wait for the one that fetches it. Raises DataError.
    """
    with _writing(path):
        if not _is_there(path, num_bytes):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{path.name}.part")
            with part.open("ab") as file, _locked(file):
                if _is_there(path, num_bytes):  # who held the lock made it
                    part.unlink(missing_ok=True)
                else:
                    _fetch(url, lambda response: _save(response, file, path, num_bytes, sha256))
                    os.fsync(file.fileno())
                    part.replace(path)
    return path


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # closing is not enough: a process forked meanwhile has the file open, too


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What this machine refuses becomes a DataError, so that it is not taken for the connection's fault."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None


def _is_there(path: Path, num_bytes: int) -> bool:
    try:
        return path.stat().st_size == num_bytes
    except FileNotFoundError:
        return False


def _fetch(url: str, receive: Callable[[HTTPResponse], Result]) -> Result:
    """What `receive` makes of the answer; tries again after what may pass."""
    why = ""
    for attempt in range(_TRIES):
        time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1) if attempt else 0)
        try:
            with _opener().open(url, timeout=_TIMEOUT) as response:
                return receive(response)
        except HTTPError as error:
            error.close()
            why = f"{error.code} {error.reason}"
            if error.code < 500 and error.code not in _RETRIED:
                kind = MissingError if error.code in (404, 410) else DataError
                raise kind(f"{url}: the server says {why}") from None
        except (OSError, HTTPException, _TransferError) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
    raise DataError(f"{url}: cannot be fetched, tried {_TRIES} times: {why}")


def _blocks(response: HTTPResponse, most: int) -> Iterator[bytes]:
    """What comes; at the first byte too many, _TransferError."""
    left = most
    while block := response.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise _TransferError(f"more than {most} bytes")
        yield block


def _save(response: HTTPResponse, file: BinaryIO, path: Path, num_bytes: int, sha256: str) -> None:
    digest, count = hashlib.sha256(), 0
    with _writing(path):
        file.truncate(0)
    for block in _blocks(response, num_bytes):
        digest.update(block)
        count += len(block)
        with _writing(path):
            file.write(block)
            file.flush()
    if count != num_bytes:
        raise _TransferError(f"{count} bytes, index.json says {num_bytes}")
    if digest.hexdigest() != sha256:
        raise _TransferError(f"SHA-256 is {digest.hexdigest()}, index.json says {sha256}")
