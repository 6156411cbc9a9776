"""OBER (Zhao et al., "Precise Object and Effect Removal with Adaptive Target-Aware Attention", CVPR 2026): parquet.

`data/<split>-00000-of-00001.parquet` of the data set sczhou/OBERDataset_ObjectClear on the Hugging Face Hub, columns
`input`, `gt`, `object_mask`, `object_effect_mask` (pictures: structs of `bytes` and `path`), `subset` and `split`, as
https://github.com/zjx0101/ObjectClear, objectclear/dataset/ober_parquet_dataset.py, reads them. Its test split holds
the subsets OBER-Test and RORD-Val-343, and OBER-Wild, which has no ground truth.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.adapters.listed import Listed, not_there, unique
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import relative, same_size
from evaluation.adapters.values import decode_values
from evaluation.errors import EvalError
from evaluation.sample import Dataset, Item
from stages.decode import DecodeError, decode_image
from stages.settings import did_you_mean
from stages.types import U8

_PICTURES = ("input", "gt", "object_mask", "object_effect_mask")
_SHARD = re.compile(r"-([0-9]+)-of-([0-9]+)\.parquet$")


class _Row(NamedTuple):
    file: Path
    group: int
    place: int  # in its row group


@adapter
def open_ober(root: Path, *, split: Literal["test", "train"] = "test", subset: str = "") -> Dataset:
    """Pictures with object mask, clean scene, and mask of object and effects; ids are `<subset>/<stem>`.

    `root` is the data set or the folder of its parquet files. `subset` narrows it to one. Pictures that are null in the
    table (OBER-Wild has no ground truth) are None in the item. Raises EvalError: no such files or columns, one that
    cannot be read, a shard that is not there, no such subset.
    """
    rows = unique(_rows(root, split))
    subsets = {id.partition("/")[0] for id in rows}
    if subset and subset not in subsets:
        raise EvalError(f"{root}: no subset '{subset}'{did_you_mean(subset, subsets)}")
    reader = _Reader(root, rows)
    return Listed((id for id in rows if not subset or id.startswith(f"{subset}/")), reader.item)


def _rows(root: Path, split: str) -> Iterator[tuple[str, _Row]]:
    files = sorted(root.glob(f"{split}-*.parquet")) or sorted((root / "data").glob(f"{split}-*.parquet"))
    if not files:
        raise not_there(root, "OBER", f"{split}-*.parquet, also in data/")
    _check_shards(root, files)
    for file in files:
        yield from _ids(root, file)


def _check_shards(root: Path, files: list[Path]) -> None:
    found = [match for file in files if (match := _SHARD.search(file.name))]
    there = {int(match[1]) for match in found}
    for number in range(int(found[0][2]) if found else 0):
        if number not in there:
            name = _SHARD.sub(f"-{number:05d}-of-{int(found[0][2]):05d}.parquet", relative(files[0], root))
            raise EvalError(f"{root}: {name}: no such file, and {len(files)} others of its set are there")


def _ids(root: Path, file: Path) -> Iterator[tuple[str, _Row]]:
    name = relative(file, root)
    try:
        parquet = pq.ParquetFile(file)
        _check_columns(parquet.schema_arrow, f"{root}: {name}")
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, columns=["input.path", "subset"])
            paths = [(value or {}).get("path") for value in table["input"].to_pylist()]
            for place, (path, subset) in enumerate(zip(paths, table["subset"].to_pylist(), strict=True)):
                stem = PurePosixPath(path or f"row-{group}-{place}").stem
                yield f"{_safe(subset or 'none')}/{_safe(stem)}", _Row(file, group, place)
    except (pa.ArrowException, OSError) as error:
        raise EvalError(f"{root}: {name}: cannot be read: {_line(error)}") from None


def _check_columns(schema: pa.Schema, name: str) -> None:
    for column in (*_PICTURES, "subset"):
        if column not in schema.names:
            raise EvalError(f"{name}: no column '{column}'; it has {', '.join(schema.names)}")
        kind = schema.field(column).type
        fields = [kind.field(k).name for k in range(kind.num_fields)] if pa.types.is_struct(kind) else []
        if column in _PICTURES and not {"bytes", "path"} <= set(fields):
            raise EvalError(f"{name}: column '{column}' is {kind}, must be a struct of bytes and path")


def _safe(text: str) -> str:
    """`text` as one segment of a relative path."""
    return re.sub(r"[^\w.-]", "_", text).lstrip(".") or "_"


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


class _Reader:
    """Keeps the row group that was read last: ids run through one after the other."""

    def __init__(self, root: Path, rows: dict[str, _Row]) -> None:
        self._root, self._rows = root, rows
        self._at: tuple[Path, int] | None = None
        self._table: pa.Table | None = None

    def item(self, id: str) -> Item:
        """The row `id`. Raises DecodeError."""
        row = self._rows[id]
        cells = self._cells(row, id)
        name = f"{relative(row.file, self._root)}: {id}"
        picture = self._rgb(cells, "input", name, None)
        if picture is None:
            raise DecodeError("missing", f"{name}: input is null")
        mask = self._values(cells, "object_mask", name, picture)
        effect = self._values(cells, "object_effect_mask", name, picture)
        return Item(
            id,
            picture,
            None if mask is None else mask >= 128,
            clean=self._rgb(cells, "gt", name, picture),
            effect=None if effect is None else effect >= 128,
        )

    def _cells(self, row: _Row, id: str) -> dict[str, bytes | None]:
        try:
            if self._at != (row.file, row.group):
                self._at, self._table = None, None
                self._table = pq.ParquetFile(row.file).read_row_group(row.group, columns=list(_PICTURES))
                self._at = (row.file, row.group)
            assert self._table is not None
            return {c: _bytes(self._table[c][row.place].as_py()) for c in _PICTURES}
        except (pa.ArrowException, OSError) as error:
            name = relative(row.file, self._root)
            raise DecodeError("unreadable", f"{name}: {id}: row group {row.group}: {_line(error)}") from None

    def _rgb(self, cells: dict[str, bytes | None], column: str, name: str, like: U8 | None) -> U8 | None:
        data, where = cells[column], f"{name}: {column}"
        return None if data is None else same_size(decode_image(data, name=where, want="rgb"), where, like)

    def _values(self, cells: dict[str, bytes | None], column: str, name: str, like: U8) -> U8 | None:
        data, where = cells[column], f"{name}: {column}"
        return None if data is None else same_size(decode_values(data, where), where, like)


def _bytes(cell: Any) -> bytes | None:
    value = cell.get("bytes") if isinstance(cell, dict) else None
    return value if isinstance(value, bytes) else None
