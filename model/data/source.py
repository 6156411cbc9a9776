"""Where a data set lies: a folder, or an http(s) address whose shards are copied to this machine when first read."""

import os
import re
from pathlib import Path
from typing import NamedTuple, Protocol

from model.data.download import DataError, MissingError, download, read_whole

_MOST = 1 << 32  # bytes of an index


class Shard(NamedTuple):
    """One tar of a data set; `sha256` is None where index.json does not tell it. As text, what errors call it."""

    store: "Store"
    name: str
    num_bytes: int
    sha256: str | None

    def path(self) -> Path:
        """The shard as a file on this machine, which may have to be fetched first. Raises DataError."""
        return self.store.file(self)

    def __str__(self) -> str:
        return f"{self.store}/{self.name}"


class Store(Protocol):
    """A place that holds a data set. As text, its location. All methods raise DataError."""

    def read(self, name: str) -> bytes:
        """A whole file, not a shard. Raises MissingError where there is none."""
        ...

    def check(self, shard: Shard) -> None:
        """Raises DataError for a shard that could not be read later, as far as that shows without fetching it."""
        ...

    def file(self, shard: Shard) -> Path:
        """The shard on this machine."""
        ...


class Folder:
    """A data set on this machine."""

    def __init__(self, location: str) -> None:
        self._location = location.rstrip("/") or "/"

    def __str__(self) -> str:
        return self._location

    def read(self, name: str) -> bytes:
        """See `Store`."""
        path = Path(self._location) / name
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(f"{path}: no such file") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None

    def file(self, shard: Shard) -> Path:
        """The shard where it lies, if it is as long as index.json says."""
        path = Path(self._location) / shard.name
        try:
            found = path.stat().st_size
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
        if found != shard.num_bytes:
            raise DataError(f"{path}: {found} bytes, index.json says {shard.num_bytes}")
        return path

    def check(self, shard: Shard) -> None:
        """See `Store`."""
        self.file(shard)


class Web:
    """A data set behind an address. Shards are kept in `cache` by their SHA-256, so that no other can be taken for
    one, and all data sets and processes of a machine share them. Nothing is ever removed from there."""

    def __init__(self, location: str, cache: Path) -> None:
        self._location, self._cache = location.rstrip("/"), cache

    def __str__(self) -> str:
        return self._location

    def read(self, name: str) -> bytes:
        """See `Store`."""
        return read_whole(f"{self}/{name}", _MOST)

    def check(self, shard: Shard) -> None:
        """See `Store`."""
        if shard.sha256 is None:
            raise DataError(f"{self}/index.json: {shard.name} has no sha256; shards without one are not downloaded")

    def file(self, shard: Shard) -> Path:
        """The shard's copy."""
        self.check(shard)
        assert shard.sha256 is not None
        return download(str(shard), self._cache / f"{shard.sha256}.tar", shard.num_bytes, shard.sha256)


def open_store(location: str, cache: Path) -> Store:
    """The store at a folder's path or an http(s) address. Raises DataError for every other scheme."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", location)
    if scheme is None:
        return Folder(location)
    if scheme[1].lower() not in ("http", "https"):
        raise DataError(f"{location}: '{scheme[1]}' is not read; give a folder or an http(s) address")
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", location, re.IGNORECASE):
        raise DataError(f"{location}: must be http(s)://host/path, without user, query or fragment")
    return Web(location, cache)


def shard_cache() -> Path:
    """Where copies of shards are kept: under `$LAYERLOOM_CACHE`, else `layerloom` in the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("LAYERLOOM_CACHE") or user / "layerloom").absolute() / "shards"
