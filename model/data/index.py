"""Built data sets as lists of samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from model.data.download import DataError, MissingError
from model.data.source import Shard, Store, open_store, shard_cache
from stages.settings import ManifestError, did_you_mean, parse


class Row(NamedTuple):
    """One sample: its key, the shard it lies in, the byte offset of its first header, the side of its pictures."""

    key: str
    shard: Shard
    offset: int
    size: int


class DataSet(NamedTuple):
    """Samples shard by shard, and how many each shard holds."""

    rows: tuple[Row, ...]
    shard_sizes: tuple[int, ...]


class _Entry(BaseModel):
    name: Annotated[str, Field(pattern=r"^data/[^/]+\.tar$")]
    num_bytes: int = Field(ge=0)
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class _Index(BaseModel):
    """What is read of index.json."""

    shards: tuple[_Entry, ...]


_COLUMNS = {"key": pa.string(), "split": pa.string(), "shard": pa.string(), "offset": pa.int64(), "size": pa.int64()}
_REBUILD = "build it again with this version of layerloom"


def open_dataset(location: str, split: str, cache: Path | None = None) -> DataSet:
    """The samples of one split of a data set in a folder or at an http(s) address, whose shards go to `cache`.

    Raises:
        DataError: no data set there, another schema, no such split, a shard that is not as long as it should be.
    """
    store = open_store(location, cache or shard_cache())
    shards = _shards(store)
    table = _table(store)
    splits = set(table["split"])
    if split not in splits:
        raise DataError(f"{store}: no split '{split}'{did_you_mean(split, splits)}")
    found: dict[str, list[Row]] = {}
    for key, own, name, offset, size in zip(*(table[c] for c in _COLUMNS), strict=True):
        if own == split:
            if name not in shards:
                raise DataError(f"{store}/meta/index.parquet: {key}: shard '{name}' is not in index.json")
            found.setdefault(name, []).append(Row(key, shards[name], offset, size))
    for name in found:
        store.check(shards[name])
    return DataSet(tuple(row for rows in found.values() for row in rows), tuple(len(rows) for rows in found.values()))


def open_all(locations: Sequence[str], split: str, cache: Path | None = None) -> DataSet:
    """Several data sets as one, in the order given."""
    parts = [open_dataset(location, split, cache) for location in locations]
    rows = tuple(row for part in parts for row in part.rows)
    return DataSet(rows, tuple(size for part in parts for size in part.shard_sizes))


def _shards(store: Store) -> dict[str, Shard]:
    """By the name that the rows give them."""
    name = f"{store}/index.json"
    try:
        index = parse(_Index, orjson.loads(store.read("index.json")), name)
    except MissingError:
        raise DataError(f"{store}: no data set: it has no index.json; build one with `layerloom build`") from None
    except orjson.JSONDecodeError as error:
        raise DataError(f"{name}: not JSON: {error}") from None
    except ManifestError as error:
        raise DataError(f"{str(error).splitlines()[0]}; {_REBUILD}") from None
    return {e.name.removeprefix("data/"): Shard(store, e.name, e.num_bytes, e.sha256) for e in index.shards}


def _table(store: Store) -> dict[str, list[Any]]:
    """The columns that are needed, by name."""
    name = f"{store}/meta/index.parquet"
    try:
        file = pq.ParquetFile(pa.BufferReader(store.read("meta/index.parquet")))
        _check_schema(file.schema_arrow, name)
        table = file.read(columns=list(_COLUMNS))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name}: cannot be read: {str(error).splitlines()[0]}") from None
    for column in _COLUMNS:
        if table[column].null_count:
            raise DataError(f"{name}: another schema: column '{column}' has empty places; {_REBUILD}")
    return dict(table.to_pydict())


def _check_schema(schema: pa.Schema, name: str) -> None:
    for column, kind in _COLUMNS.items():
        if column not in schema.names:
            raise DataError(f"{name}: another schema: no column '{column}'; {_REBUILD}")
        if schema.field(column).type != kind:
            found = schema.field(column).type
            raise DataError(f"{name}: another schema: column '{column}' is {found}, must be {kind}; {_REBUILD}")
