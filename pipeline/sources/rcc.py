"""Resource files of Qt programs (`*.rcc`), in which educational games keep their photographs: read like folders."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.sources.archive import MAX_FILES
from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, walk_files
from pipeline.sources.workspace import publish, workspace

_ZLIB, _FOLDER, _ZSTD = 1, 2, 4


def opened(files: list[FetchedFile], source: SourceLike, cache: Path) -> list[FetchedFile]:
    """The files with those in place of each resource file that `root` or a glob of `include` enters by its name.

    `erase.rcc/**/*.webp` enters erase.rcc; its files are unpacked into `cache`/rcc once. Raises AssetError for a
    resource file that is damaged, or that unpacks to more than `max_mb`.
    """
    entries = f"/{'|/'.join((source.root, *source.include))}"
    out: list[FetchedFile] = []
    for file in files:
        name = file.relative.rpartition("/")[2]
        entered = name.endswith(".rcc") and (f"/{name}/" in f"{entries}/")
        out += _inside(file, cache.absolute() / "rcc", source.max_mb * MB) if entered else [file]
    return out


def _inside(file: FetchedFile, shelf: Path, max_bytes: int) -> Iterator[FetchedFile]:
    data = file.path.read_bytes()
    folder = shelf / hashlib.sha256(data).hexdigest()[:16]
    if not folder.is_dir():
        with workspace(shelf) as temporary:
            if not folder.is_dir():  # else another process was faster
                _unpack(data, temporary / "entry", file.relative, max_bytes)
                publish(temporary / "entry", folder)
    for path, inside in walk_files(folder):
        yield FetchedFile(path, f"{file.relative}/{inside}", f"{file.uri}/{inside}")


def _unpack(data: bytes, into: Path, label: str, max_bytes: int) -> None:
    into.mkdir()
    room = max_bytes
    try:
        for names, content in _Resources.of(data).files(max_bytes):
            if not all(names) or any(n in (".", "..") or "/" in n or "\0" in n for n in names):
                raise AssetError(f"{label} holds {'/'.join(names)!r}, which would be written outside its folder")
            room -= len(content)
            if room < 0:
                raise AssetError(f"{label} unpacks to more than the {max_bytes:,} bytes that max_mb leaves it")
            target = into.joinpath(*names)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    except (struct.error, zlib.error, UnicodeDecodeError, OSError, _Damaged) as error:
        raise AssetError(f"{label} cannot be unpacked: {error}") from None


class _Damaged(Exception):  # noqa: N818
    """Not what Qt's resource compiler writes."""


class _Resources(NamedTuple):
    """The binary format of Qt's `rcc` (qtbase, src/tools/rcc/rcc.cpp), versions 1 to 3; all numbers big-endian."""

    data: bytes
    tree: int
    contents: int
    names: int
    node_bytes: int

    @classmethod
    def of(cls, data: bytes) -> "_Resources":
        version, tree, contents, names = struct.unpack_from(">4I", data.ljust(20, b"\0"), 4)
        if not data.startswith(b"qres") or not 1 <= version <= 3:
            raise _Damaged(f"it begins with {data[:8]!r}")
        return cls(data, tree, contents, names, 14 if version == 1 else 22)

    def files(self, max_bytes: int) -> Iterator[tuple[tuple[str, ...], bytes]]:
        """(folders and name, content) of every file; none is inflated beyond `max_bytes` + 1."""
        pending: list[tuple[int, tuple[str, ...]]] = [(0, ())]
        for _ in range(MAX_FILES):
            if not pending:
                return
            number, path = pending.pop()
            name, flags, first, second = struct.unpack_from(">IHII", self.data, self.tree + number * self.node_bytes)
            names = (*path, self._name(name)) if number else path
            if flags & _FOLDER:  # `first` nodes from `second` on
                if second <= number or first > MAX_FILES:
                    raise _Damaged(f"node {number} leads back to node {second}")
                pending += [(child, names) for child in range(second, second + first)]
            else:
                yield names, self._content(second, flags, max_bytes)
        raise _Damaged(f"it holds more than {MAX_FILES:,} entries")

    def _name(self, offset: int) -> str:
        start = self.names + offset
        (length,) = struct.unpack_from(">H", self.data, start)
        return self._slice(start + 6, 2 * length).decode("utf-16-be")  # a hash lies between

    def _content(self, offset: int, flags: int, max_bytes: int) -> bytes:
        start = self.contents + offset
        (length,) = struct.unpack_from(">I", self.data, start)
        stored = self._slice(start + 4, length)
        if flags & _ZSTD:
            raise _Damaged("it is compressed with zstd, which is not read")
        # qCompress puts the length in front.
        return zlib.decompressobj().decompress(stored[4:], max_bytes + 1) if flags & _ZLIB else stored

    def _slice(self, start: int, length: int) -> bytes:
        part = self.data[start : start + length]
        if len(part) < length:
            raise _Damaged("it ends too early")
        return part
