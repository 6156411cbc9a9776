"""Built data sets as lists of samples, and every way in which a folder is not one."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.data.download import DataError
from model.data.index import open_all, open_dataset

AGAIN = "; build it again with this version of layerloom"


def rows_of(path: Path) -> list[tuple[str, int]]:
    """(key, offset) of the samples of a shard, as `tarfile` sees them."""
    with tarfile.open(path) as tar:
        return [(m.name.split(".")[0], m.offset) for m in tar if m.name.endswith(".composite.png")]


@pytest.mark.parametrize(("split", "sizes"), [("train", (4, 5, 4, 5, 4)), ("val", (4,))])
def test_rows_are_what_the_shards_hold(built: Path, split: str, sizes: tuple[int, ...]) -> None:
    data = open_dataset(str(built), split)
    shards = sorted((built / "data").glob(f"{split}-*.tar"))
    assert data.shard_sizes == sizes
    assert [(row.key, row.offset) for row in data.rows] == [r for shard in shards for r in rows_of(shard)]
    assert [row.shard.path() for row in data.rows] == [s for s, n in zip(shards, sizes, strict=True) for _ in range(n)]
    assert {row.size for row in data.rows} == {96}


def test_several_data_sets_are_read_as_one(built: Path, copy: Path) -> None:
    one, other = open_dataset(str(built), "val"), open_dataset(str(copy), "val")
    both = open_all([str(built), f"{copy}/"], "val")
    assert both.shard_sizes == (4, 4)
    assert [str(row.shard) for row in both.rows] == [str(row.shard) for row in one.rows + other.rows]


def test_rows_of_a_shard_stand_together(copy: Path) -> None:
    """However the table is sorted."""
    table = pq.read_table(copy / "meta" / "index.parquet")
    pq.write_table(table.take(pa.array(range(len(table) - 1, -1, -1))), copy / "meta" / "index.parquet")
    data = open_dataset(str(copy), "train")
    names = [row.shard.name for row in data.rows]
    assert data.shard_sizes == tuple(names.count(name) for name in dict.fromkeys(names))
    assert names == [name for name in dict.fromkeys(names) for _ in range(names.count(name))]


def change_index(copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = copy / "index.json"
    found = orjson.loads(path.read_bytes())
    change(found)
    path.write_bytes(orjson.dumps(found))


def change_rows(copy: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = copy / "meta" / "index.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def without_a_key(table: pa.Table) -> pa.Table:
    keys = table["key"].to_pylist()
    return table.set_column(0, "key", pa.array([None, *keys[1:]]))


def with_text_offsets(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("offset")
    return table.set_column(place, "offset", table["offset"].cast(pa.string()))


HARMS = {
    "no index": (
        lambda c: (c / "index.json").unlink(),
        "{c}: no data set: it has no index.json; build one with `layerloom build`",
    ),
    "not JSON": (lambda c: (c / "index.json").write_text("{"), "{c}/index.json: not JSON: "),
    "a list": (lambda c: (c / "index.json").write_text("[]"), "{c}/index.json: must be a table (got [])" + AGAIN),
    "no shards": (
        lambda c: change_index(c, lambda i: i.pop("shards")),
        "{c}/index.json: shards: this key is missing" + AGAIN,
    ),
    "a shard elsewhere": (
        lambda c: change_index(c, lambda i: i["shards"][0].update(name="data/../../x.tar")),
        "{c}/index.json: shards[0].name: string should match pattern",
    ),
    "a negative size": (
        lambda c: change_index(c, lambda i: i["shards"][0].update(num_bytes=-1)),
        "{c}/index.json: shards[0].num_bytes: input should be greater than or equal to 0 (got -1)" + AGAIN,
    ),
    "no table": (lambda c: (c / "meta" / "index.parquet").unlink(), "{c}/meta/index.parquet: no such file"),
    "not a table": (
        lambda c: (c / "meta" / "index.parquet").write_text("x" * 99),
        "{c}/meta/index.parquet: cannot be read: ",
    ),
    "no column": (
        lambda c: change_rows(c, lambda t: t.drop_columns(["offset"])),
        "{c}/meta/index.parquet: another schema: no column 'offset'" + AGAIN,
    ),
    "another type": (
        lambda c: change_rows(c, with_text_offsets),
        "{c}/meta/index.parquet: another schema: column 'offset' is string, must be int64" + AGAIN,
    ),
    "empty places": (
        lambda c: change_rows(c, without_a_key),
        "{c}/meta/index.parquet: another schema: column 'key' has empty places" + AGAIN,
    ),
    "a shard that the index does not know": (
        lambda c: change_index(c, lambda i: i["shards"].pop(0)),
        "{c}/meta/index.parquet: train_000000000: shard 'train-00000-of-00005.tar' is not in index.json",
    ),
    "a shard that is cut": (
        lambda c: (c / "data" / "train-00001-of-00005.tar").write_bytes(b"x" * 512),
        "{c}/data/train-00001-of-00005.tar: 512 bytes, index.json says ",
    ),
    "a shard that is lost": (
        lambda c: (c / "data" / "train-00004-of-00005.tar").unlink(),
        "{c}/data/train-00004-of-00005.tar: cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_wrong_is_said_in_one_line(copy: Path, harm: str) -> None:
    damage, text = HARMS[harm]
    open_dataset(str(copy), "train")
    damage(copy)
    with pytest.raises(DataError) as caught:
        open_dataset(str(copy), "train")
    assert str(caught.value).startswith(text.format(c=copy))
    assert "\n" not in str(caught.value)
    if text.endswith(("`", AGAIN)):
        assert str(caught.value) == text.format(c=copy)


def test_a_split_that_is_not_there(built: Path) -> None:
    for asked, advice in (("trian", "did you mean 'train'?"), ("x", "choose from train, val")):
        with pytest.raises(DataError) as caught:
            open_dataset(str(built), asked)
        assert str(caught.value) == f"{built}: no split '{asked}'; {advice}"


def test_a_folder_that_is_not_there_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("nothing", "file"):
        with pytest.raises(DataError, match=f"^{tmp_path}/{name}: no data set: it has no index.json; build one with"):
            open_dataset(str(tmp_path / name), "train")
