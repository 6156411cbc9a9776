"""What every kind of source shares: the protocol it reads, the files it yields, and their selection."""

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipeline.source import Rows
from pipeline.sources.globs import matches
from stages.types import U8

MB = 1_000_000


class AssetError(ValueError):
    """A source or an asset that cannot be used; the message says which one and why."""


class SourceLike(Protocol):
    """The fields of a manifest's source that fetching reads.

    `package` belongs to apt (`name` or `name=version`), pypi (`name` or `name==version`) and npm (`name` or
    `name@version`), `urls` and `sha256` (none, or one hex digest per URL) to https, `path` to local and hf, `rows`
    to hf. `include` and `exclude` are globs
    over paths inside the source, below `root` where that names a folder in it. `max_mb` (1 MB = 10^6 bytes)
    bounds a source's download and, separately, what the download unpacks to.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def package(self) -> str: ...
    @property
    def urls(self) -> tuple[str, ...]: ...
    @property
    def sha256(self) -> tuple[str, ...]: ...
    @property
    def path(self) -> str: ...
    @property
    def include(self) -> tuple[str, ...]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...
    @property
    def max_mb(self) -> int: ...
    @property
    def root(self) -> str: ...
    @property
    def rows(self) -> Rows: ...
    @property
    def layout(self) -> str: ...


class Part(Protocol):
    """How one asset is taken out of a file that holds more: an instance of an annotated photograph, a layer.

    Small and picklable: it travels to the worker that reads the file.
    """

    @property
    def rough(self) -> bool:
        """Whether its alpha is a mask drawn by hand or by a detector, whose edge is still to be refined."""

    def key(self) -> str:
        """What decides the pixels beside the file's own bytes; equal keys mean equal pixels."""

    def pixels(self, data: bytes, name: str) -> U8:
        """The asset in the file `data`: uint8 (h, w, 3), or straight (h, w, 4) at the photograph's full size.

        `name` is used in messages only. Raises DecodeError, whose reason is counted.
        """


@dataclass(frozen=True)
class FetchedFile:
    """One asset to be, in a file on this machine.

    `path` is where the file lies, `relative` its posix path inside the source (what globs match; bytes that are
    not UTF-8 appear as U+FFFD; unique in a source), `uri` the machine-independent name that metadata carry. The
    rest is what the source's own metadata say of this one ("" or None: nothing): `license` an SPDX expression,
    `whole` whether the object's full shape shows, `photo` the photograph it comes from, where several assets may
    (they stay in one split). `part` is how it is taken out of the file, None for the file as it is.
    """

    path: Path
    relative: str
    uri: str
    caption: str = ""
    license: str = ""
    attribution: str = ""
    whole: bool | None = None
    photo: str = ""
    part: Part | None = None


def walk_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, relative) of every regular file under `root`, in no particular order.

    A symbolic link counts as the file it points at if that lies inside `root`, and is passed over if not;
    linked folders are never entered. Raises OSError where a folder cannot be read.
    """
    inside = root.resolve()
    for folder, _, names in os.walk(root, onerror=_reraise):
        for path in (Path(folder, name) for name in names):
            # Linked folders are not entered, so only a link can lead out.
            if _is_regular(path) and (not path.is_symlink() or path.resolve().is_relative_to(inside)):
                yield path, relative_name(path, root)


def relative_name(path: Path, root: Path) -> str:
    """The posix path of `path` inside `root`, always encodable as UTF-8."""
    return os.fsencode(path.relative_to(root)).decode("utf-8", "replace")


def folder_bytes(root: Path) -> int:
    """Bytes in the regular files under `root`."""
    return sum(path.stat().st_size for path, _ in walk_files(root))


def folder_state(root: Path) -> str:
    """Names, sizes and times of the files under `root` in one hash: another state, likely other contents."""
    stats = sorted((name, path.stat().st_size, path.stat().st_mtime_ns) for path, name in walk_files(root))
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()


def check_unpacked(root: Path, what: str, max_bytes: int) -> None:
    """Raise AssetError if the files under `root`, unpacked from `what`, exceed `max_bytes`."""
    size = folder_bytes(root)
    if size > max_bytes:
        raise AssetError(f"{what} unpacks to {size:,} bytes, over max_mb = {max_bytes // MB}")


def below(files: Iterable[FetchedFile], root: str) -> list[FetchedFile]:
    """The files inside the folder `root` of a source, `relative` to it; all of them if it is empty.

    Raises AssetError where nothing lies there.
    """
    if not root:
        return list(files)
    prefix = root.strip("/") + "/"
    inside = [replace(f, relative=f.relative[len(prefix) :]) for f in files if f.relative.startswith(prefix)]
    if not inside:
        raise AssetError(f"no file lies below root = {root!r}")
    return inside


def select(files: Iterable[FetchedFile], include: tuple[str, ...], exclude: tuple[str, ...]) -> list[FetchedFile]:
    """The files that match a glob of `include` (all if it is empty) and none of `exclude`.

    Sorted by `relative`, then `uri`, so that the order never depends on a file system. Raises AssetError
    where nothing is left.
    """
    offered = sorted(files, key=lambda f: (f.relative, f.uri))
    kept = [f for f in offered if wanted(f.relative, include, exclude)]
    if kept:
        return kept
    asked = f"include = {list(include)}" + (f", exclude = {list(exclude)}" if exclude else "")
    example = f"; the first is {offered[0].relative!r}" if offered else ""
    raise AssetError(f"none of {len(offered)} files matches {asked}{example}")


def wanted(relative: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    """Whether a path passes both glob lists; an empty `include` passes everything."""
    return (not include or matches(relative, include)) and not matches(relative, exclude)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a dangling link, or one in a circle
        return False


def _reraise(error: OSError) -> None:
    raise error
