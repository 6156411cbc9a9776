"""Unpacking archives that nobody vouches for: zip (wheels too) and tar."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol

from pipeline.sources.common import MB, AssetError

MAX_FILES = 200_000
_CHUNK = 1 << 20


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


_DECODERS: dict[str, Callable[[BinaryIO], _Readable]] = {
    ".tar": lambda raw: raw,
    ".tar.gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".tgz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".tar.xz": lzma.LZMAFile,
    ".tar.bz2": bz2.BZ2File,
}
ARCHIVE_SUFFIXES = (".zip", *_DECODERS)
_Entry = tuple[str, IO[bytes] | None]  # None where the entry is not a regular file
# Encrypted zip members are a RuntimeError, exotic compression a NotImplementedError.
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)


def archive_suffix(name: str) -> str:
    """The suffix by which `name` counts as an archive that `unpack` reads, or the empty string."""
    return next((s for s in ARCHIVE_SUFFIXES if name.lower().endswith(s)), "")


def unpack(archive: Path, suffix: str, into: Path, *, label: str, max_bytes: int, max_files: int = MAX_FILES) -> None:
    """Write the regular files of an archive below the folder `into`.

    Links, devices and modes are not restored, so nothing can point out of the folder. Raises AssetError,
    naming the archive as `label`, if it is damaged, an entry's name is absolute or climbs out, or it holds
    more than `max_files` entries or `max_bytes` bytes unpacked, whatever sizes it declares.
    """
    room = max_bytes
    try:
        for count, (name, stream) in enumerate(_entries(archive, suffix, max_bytes), start=1):
            if count > max_files:
                raise AssetError(f"{label} holds more than {max_files:,} entries")
            if stream is not None:
                room -= _write(stream, into / _safe(name, label), room)
    except _Overflow:
        raise AssetError(f"{label} unpacks to more than the {max_bytes:,} bytes that max_mb leaves it") from None
    except _BROKEN as error:
        raise AssetError(f"{label} cannot be unpacked: {error}") from None


def _entries(archive: Path, suffix: str, max_bytes: int) -> Iterator[_Entry]:
    return _zip_entries(archive) if suffix == ".zip" else _tar_entries(archive, suffix, max_bytes)


def _zip_entries(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, None
                continue
            with source.open(info) as stream:
                yield info.filename, stream


def _tar_entries(archive: Path, suffix: str, max_bytes: int) -> Iterator[_Entry]:
    with archive.open("rb") as raw:
        # Headers and padding come on top of the files; a header may itself be a bomb.
        capped = _Capped(_DECODERS[suffix](raw), 2 * max_bytes + 10 * MB)
        with tarfile.open(fileobj=capped, mode="r|") as source:
            for info in source:
                yield info.name, source.extractfile(info) if info.isreg() else None


class _Overflow(Exception):  # noqa: N818
    """More bytes came out of an archive than it may hold."""


class _Capped(io.RawIOBase):
    """A readable stream that raises _Overflow after `room` bytes."""

    def __init__(self, raw: _Readable, room: int) -> None:
        super().__init__()
        self._raw, self._room = raw, room

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._room -= len(data)
        if self._room < 0:
            raise _Overflow
        return data


def _safe(name: str, label: str) -> PurePosixPath:
    path = PurePosixPath(name)
    climbs = ".." in name.replace("\\", "/").split("/")
    if climbs or path.is_absolute() or "\0" in name or not path.parts:
        raise AssetError(f"{label} holds {name!r}, which would be written outside its folder")
    return path


def _write(stream: IO[bytes], target: Path, room: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("wb") as out:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise _Overflow
            out.write(chunk)
    return size
