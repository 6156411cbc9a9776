"""Shards: plain ustar files that WebDataset, `datasets` and Ray read, the same bytes every time.

POSIX ustar (IEEE Std 1003.1-1988) with integer mtime 0, uid and gid 0 and a fixed member order; a float mtime
would add a PAX header a member. A shard appears under its final name whole or not at all.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MEMBERS = ("composite.png", "background.png", "foreground.png", "shadow.png", "occluder.png", "mask.png", "json")
_BLOCK = tarfile.BLOCKSIZE


class ShardError(ValueError):
    """A shard that cannot be written, or is not what it should be."""


class Written(NamedTuple):
    """A finished shard: size and SHA-256 of the file, and the offset of each sample's first header."""

    num_bytes: int
    sha256: str
    offsets: tuple[int, ...]


class Member(NamedTuple):
    """One file of a shard."""

    name: str
    data: bytes
    offset: int


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """File name of a shard, e.g. `train-00000-of-00016.tar`."""
    return f"{split}-{shard:05d}-of-{num_shards:05d}.tar"


def sample_key(split: str, index: int) -> str:
    """Key of a sample, e.g. `train_000000017`. It holds no dot: every reader splits names at the first one."""
    return f"{split}_{index:09d}"


def write_shard(path: Path, samples: Iterable[tuple[str, dict[str, bytes]]]) -> Written:
    """Write (key, member -> bytes) samples as a tar: temporary name, fsync, rename.

    Raises:
        ShardError: the file system refused (full, read-only, ...); nothing is left under any name.
    """
    digest, offsets, position = hashlib.sha256(), [], 0
    try:
        with _replacing(path) as write:
            for key, members in samples:
                offsets.append(position)
                for block in _sample_blocks(key, members):
                    digest.update(block)
                    write(block)
                    position += len(block)
            end = bytes(-(position + 2 * _BLOCK) % tarfile.RECORDSIZE + 2 * _BLOCK)
            digest.update(end)
            write(end)
    except OSError as error:
        raise ShardError(f"{path}: cannot be written: {error.strerror or error}") from None
    return Written(position + len(end), digest.hexdigest(), tuple(offsets))


@contextmanager
def _replacing(path: Path) -> Iterator[Callable[[bytes], object]]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb", buffering=1 << 20) as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sample_blocks(key: str, members: dict[str, bytes]) -> Iterator[bytes]:
    assert tuple(members) == MEMBERS, f"{key}: members {tuple(members)}"
    for name, data in members.items():
        info = tarfile.TarInfo(f"{key}.{name}")
        info.size, info.mtime, info.mode = len(data), 0, 0o644
        yield info.tobuf(format=tarfile.USTAR_FORMAT)
        yield data
        yield bytes(-len(data) % _BLOCK)


def read_members(path: Path) -> Iterator[Member]:
    """The members of a shard in file order.

    Raises:
        ShardError: not a tar, cut short, or without the two zero blocks that end one. (Other readers take a tar
            that was cut between two members for a whole one.)
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            end = 0
            for info in tar:
                handle = tar.extractfile(info)
                data = handle.read() if handle else b""
                if len(data) != info.size:
                    raise ShardError(f"{path}: cut short in {info.name}: {len(data)} of {info.size} bytes")
                end = info.offset_data + -(-info.size // _BLOCK) * _BLOCK
                yield Member(info.name, data, info.offset)
            file.seek(end)
            tail = file.read()
    except (tarfile.TarError, EOFError) as error:
        raise ShardError(f"{path}: not a readable tar: {error}") from None
    if len(tail) < 2 * _BLOCK or any(tail):
        raise ShardError(f"{path}: the two zero blocks that end a tar are missing after byte {end} of {size}")


def sweep(folder: Path) -> int:
    """Remove what a killed build left under temporary names; returns how many files."""
    left = list(folder.glob(".*.tmp"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
