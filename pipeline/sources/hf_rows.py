"""Reading the rows of a data set through the library `datasets`, one at a time and without decoding."""

import gc
import os
import re
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline.sources.common import AssetError
from pipeline.sources.hf_columns import Columns, Facts

_HOME = re.compile(r"hf://datasets/[^@]+@([^/]+)/")
_MEMBER = re.compile(r"zip://[^:]+::")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{8,}")
_Got = TypeVar("_Got")


class Origin(NamedTuple):
    """A data set: what `datasets` calls it, its folder if it lies on this machine, and its name in URIs."""

    path: str
    folder: Path | None
    name: str


class Asked(NamedTuple):
    """Which rows: a named config ("" for the default), a split, a revision ("" for the newest), how many."""

    config: str
    split: str
    revision: str
    limit: int


class Row(NamedTuple):
    """A row: its number from 0, its URI, the bytes of its picture as they are, and the words of its other columns."""

    number: int
    uri: str
    data: bytes
    facts: Facts


def read_rows(asked: Asked, columns: Columns, origin: Origin, max_bytes: int) -> Generator[Row, None, None]:
    """Stream the first `asked.limit` rows; at most `max_bytes` + 1 bytes are read of one picture.

    One row is held at a time, and of Parquet what the library reads ahead: up to the rest of one file.
    A URI is `hf:<id>@<commit>/<config>/<split>/<row>`, without the parts that are not known. A row without a
    picture has no bytes. Raises AssetError, in one line, if the library is missing, or the data set, its config,
    split or a column is, if it cannot be reached, if the image column does not hold pictures, or if a picture or a
    data file lies outside the data set.
    """
    builder = _attempt("", partial(_builder, asked, origin))
    home = _Home.of(origin, [str(f) for files in (builder.config.data_files or {}).values() for f in files])
    stream = _attempt("", partial(builder.as_streaming_dataset, split=asked.split))
    version = home.commit or asked.revision
    at = "/".join(p for p in (f"{origin.name}@{version}" if version else origin.name, asked.config, asked.split) if p)
    picked = _attempt("", partial(columns.undecoded, stream))
    held = iter(picked.take(asked.limit))
    try:
        for number in range(asked.limit):
            row = _attempt(f"row {number}: ", partial(next, held, None))
            if row is None:
                return
            data = _attempt(f"row {number}: ", partial(_bytes, row[columns.image], home, max_bytes))
            yield Row(number, f"hf:{at}/{number}", data, columns.facts(row, picked.features or {}))
    finally:
        # A Parquet scan that is left half done, and lives until Python ends, may keep it from ending.
        held.close()
        del stream, picked, held
        gc.collect()


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, `datasets` draws no progress bars, counts no downloads, and its unclosed files raise no warning."""
    datasets = _library()
    drew, counted = not datasets.are_progress_bars_disabled(), datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    datasets.disable_progress_bars()
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = counted
        if drew:
            datasets.enable_progress_bars()


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise AssetError("kind 'hf' needs the library datasets: pip install 'layerloom[hf]'") from None
    return datasets


def _builder(asked: Asked, origin: Origin) -> Any:
    return _library().load_dataset_builder(origin.path, asked.config or None, revision=asked.revision or None)


class _Home(NamedTuple):
    """Where a data set's files lie: below a folder, or a repository's files at a commit."""

    folder: Path | None
    prefix: str
    commit: str

    @classmethod
    def of(cls, origin: Origin, files: list[str]) -> "_Home":
        found = next((m for f in files if (m := _HOME.match(f))), None)
        home = cls(origin.folder, found[0] if found else "hf://datasets/?", found[1] if found else "")
        for file in files:
            home.check(file)
        return home

    def check(self, path: str) -> None:
        """Raise AssetError if a path, of a file or of a member of a zip file, leads out of the data set."""
        target = _MEMBER.sub("", path, count=1)
        if self.folder is not None:
            inside = "://" not in target and Path(target).resolve().is_relative_to(self.folder)
        else:
            inside = target.startswith(self.prefix) and ".." not in target.split("/")
        if not inside or "::" in target:
            raise AssetError(f"{path!r} lies outside the data set: not read")


def _bytes(value: Any, home: _Home, max_bytes: int) -> bytes:
    if isinstance(value, dict):
        path, value = value.get("path"), value.get("bytes")
        if value is None and path:
            import fsspec

            home.check(path)
            with fsspec.open(path, "rb") as file:
                value = file.read(max_bytes + 1)
    return bytes(value or b"")


def _attempt(where: str, action: Callable[[], _Got]) -> _Got:
    """Do it; whatever the library raises becomes one line, without an access token."""
    try:
        return action()
    except AssetError as error:
        raise AssetError(f"{where}{error}") from None
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = _TOKEN.sub("hf_...", lines[0] if lines else type(error).__name__)
        token = os.environ.get("HF_TOKEN")
        raise AssetError(where + (text.replace(token, "hf_...") if token else text)) from None
