"""Pictures of a folder by id, read with limits; messages name files relative to the data set."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluation.adapters.values import decode_values
from stages.decode import DecodeError, decode_image
from stages.types import U8, Mask

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_BYTES = 1 << 29


class Shelf:
    """The picture files of one kind: a path each id, or several, which is an error that `read` tells.

    `what` names a file that is not there, with {id} for the id, relative to `root`.
    """

    def __init__(self, root: Path, what: str, files: Iterable[tuple[str, Path]] = ()) -> None:
        self._root, self._what = root, what
        self._files: dict[str, list[Path]] = {}
        for id, path in files:
            self._files.setdefault(id, []).append(path)

    @property
    def ids(self) -> set[str]:
        """The ids that have a file."""
        return set(self._files)

    def name(self, id: str) -> str:
        """What messages call the file of an id."""
        paths = self._files.get(id)
        return relative(paths[0], self._root) if paths else self._what.format(id=id)

    def rgb(self, id: str, like: U8 | None = None) -> U8:
        """uint8 (h, w, 3). Raises DecodeError; size_mismatch where it is not of the size of the picture `like`."""
        return same_size(decode_image(self._bytes(id), name=self.name(id), want="rgb"), self.name(id), like)

    def rgba(self, id: str, like: U8 | None = None) -> U8:
        """uint8 (h, w, 4) straight, 0 where alpha is 0. Raises as `rgb` does."""
        return same_size(decode_image(self._bytes(id), name=self.name(id), want="rgba"), self.name(id), like)

    def values(self, id: str, like: U8 | None = None) -> U8:
        """uint8 (h, w): see `decode_values`. Raises as it and `rgb` do."""
        return same_size(decode_values(self._bytes(id), self.name(id)), self.name(id), like)

    def mask(self, id: str, like: U8 | None = None) -> Mask:
        """bool (h, w): values from 128 on."""
        return self.values(id, like) >= 128

    def _bytes(self, id: str) -> bytes:
        paths = self._files.get(id, [])
        if not paths:
            raise DecodeError("missing", f"{self.name(id)}: no such file")
        if len(paths) > 1:
            other = relative(paths[1], self._root)
            raise DecodeError("ambiguous", f"{self.name(id)}: {other} is there too; one of them must go")
        return read_bytes(paths[0], self.name(id))


def shelf(root: Path, folder: str, *, nested: bool = False, end: str = "") -> Shelf:
    """The pictures in `root`/`folder` by stem, without `end` where the stem has it; empty where there is no folder.

    With `nested`, those in the folders in it too, as `<folder>/<stem>`.
    """
    paths = pictures_in(root / folder)
    named = [(path.stem, path) for path in paths]
    if nested:
        for inner in folders_in(root / folder):
            named += [(f"{inner.name}/{path.stem}", path) for path in pictures_in(inner)]
    found = ((id.removesuffix(end), path) for id, path in named)
    return Shelf(root, f"{folder}/{{id}}{end}.*".removeprefix("./"), found)


def pictures_in(folder: Path) -> list[Path]:
    """The picture files in a folder, sorted; hidden ones are left out."""
    return sorted(p for p in _entries(folder) if p.suffix.lower() in SUFFIXES and p.is_file())


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; hidden ones are left out."""
    return sorted(p for p in _entries(folder) if p.is_dir())


def _entries(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []


def first_with(root: Path, bases: Sequence[str], folders: Sequence[str]) -> Path | None:
    """The first of the folders `root`/base that holds all `folders`."""
    found = (root / base for base in bases)
    return next((base for base in found if all((base / f).is_dir() for f in folders)), None)


def read_bytes(path: Path, name: str) -> bytes:
    """A whole file. Raises DecodeError with reason missing, unreadable, or too_large (over 512 MiB)."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DecodeError("too_large", f"{name}: {size:,} bytes, must be at most {MAX_BYTES:,}")
        return path.read_bytes()
    except FileNotFoundError:
        raise DecodeError("missing", f"{name}: no such file") from None
    except OSError as error:
        raise DecodeError("unreadable", f"{name}: cannot be read: {error.strerror or error}") from None


def same_size(pixels: U8, name: str, like: U8 | None) -> U8:
    """`pixels`, if they have the height and width of `like`. Raises DecodeError (size_mismatch)."""
    if like is not None and pixels.shape[:2] != like.shape[:2]:
        sizes = f"{pixels.shape[1]} x {pixels.shape[0]} pixels, its picture has {like.shape[1]} x {like.shape[0]}"
        raise DecodeError("size_mismatch", f"{name}: {sizes}")
    return pixels


def relative(path: Path, root: Path) -> str:
    """A path in a data set as messages show it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
