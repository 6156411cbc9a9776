"""Built data sets as lists of samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow.parquet as pq

from stages.settings import did_you_mean


class DataError(ValueError):
    """A data set that cannot be read; the text names file, key and what is wrong."""


class Row(NamedTuple):
    """One sample: its key, the file it lies in, the byte offset of its first header, sides of its pictures."""

    key: str
    shard: Path
    offset: int
    size: int


class DataSet(NamedTuple):
    """Samples in stored order, and how many each shard holds."""

    rows: tuple[Row, ...]
    shard_sizes: tuple[int, ...]


_COLUMNS = ["key", "split", "shard", "offset", "size"]


def open_dataset(location: str, split: str) -> DataSet:
    """The samples of one split of a built folder.

    Raises:
        DataError: no data set there, another schema, no such split, a shard that is not as long as it should be.
    """
    folder = Path(location)
    about = _about(folder)
    try:
        table = pq.read_table(folder / "meta" / "index.parquet", columns=_COLUMNS).to_pydict()
    except Exception as error:  # pyarrow raises its own kinds
        raise DataError(f"{folder}/meta/index.parquet: cannot be read: {error}") from None
    if split not in set(table["split"]):
        raise DataError(f"{folder}: no split '{split}'{did_you_mean(split, set(table['split']))}")
    lengths = {Path(s["name"]).name: s["num_bytes"] for s in about["shards"]}
    rows, sizes = [], {}
    for key, own, shard, offset, size in zip(*(table[c] for c in _COLUMNS), strict=True):
        if own == split:
            rows.append(Row(key, folder / "data" / shard, offset, size))
            sizes[shard] = sizes.get(shard, 0) + 1
    for shard in sizes:
        _check_length(folder / "data" / shard, lengths[shard])
    return DataSet(tuple(rows), tuple(sizes.values()))


def open_all(locations: Sequence[str], split: str) -> DataSet:
    """Several data sets as one, in the order given."""
    parts = [open_dataset(location, split) for location in locations]
    return DataSet(sum((p.rows for p in parts), ()), sum((p.shard_sizes for p in parts), ()))


def _about(folder: Path) -> dict[str, list[dict[str, object]]]:
    try:
        found = orjson.loads((folder / "index.json").read_bytes())
    except FileNotFoundError:
        raise DataError(f"{folder}: no data set: it has no index.json; build one with `layerloom build`") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{folder}/index.json: cannot be read: {error}") from None
    return found


def _check_length(path: Path, num_bytes: object) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if found != num_bytes:
        raise DataError(f"{path}: {found} bytes, index.json says {num_bytes}")
