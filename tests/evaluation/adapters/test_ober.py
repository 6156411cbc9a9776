"""OBER's parquet files."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import H, W, blob, encoded, item, noise, reason, same, white

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
COLUMNS = dict.fromkeys(("input", "gt", "object_mask", "object_effect_mask"), PICTURE)
SCHEMA = pa.schema([("input", PICTURE), ("subset", pa.string()), ("split", pa.string()), *list(COLUMNS.items())[1:]])


def cell(pixels, path, **options):
    """A picture as the Hub stores it."""
    return None if pixels is None else {"bytes": encoded(pixels, **options), "path": path}


def row(seed, path, subset="OBER-Test", **changes):
    """One pair; keywords replace a picture."""
    pictures = {
        "input": noise(seed),
        "gt": noise(seed + 100),
        "object_mask": white(blob(seed)),
        "object_effect_mask": white(blob(seed) | blob(seed + 1)),
    }
    pictures |= changes
    cells = {name: cell(p, path) if not isinstance(p, dict) else p for name, p in pictures.items()}
    return cells | {"subset": subset, "split": "Test"}


def write(path, rows, schema=SCHEMA, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, **options)


@pytest.mark.parametrize("folder", [".", "data"])
def test_rows_pixel_by_pixel(tmp_path, folder):
    rows = [row(k, f"{k:04d}_1.jpg") for k in range(5)] + [row(9, "0001_1.jpg", "RORD-Val-343")]
    write(tmp_path / folder / "test-00000-of-00001.parquet", rows, row_group_size=2)
    write(tmp_path / folder / "train-00000-of-00001.parquet", [row(50, "7.jpg", "x")])
    dataset = ADAPTERS["ober"](tmp_path)
    assert list(dataset.ids) == [*(f"OBER-Test/{k:04d}_1" for k in range(5)), "RORD-Val-343/0001_1"]
    for seed, id in [*((k, f"OBER-Test/{k:04d}_1") for k in (4, 0, 3, 1, 2)), (9, "RORD-Val-343/0001_1")]:
        effect = blob(seed) | blob(seed + 1)
        same(item(dataset, id), picture=noise(seed), clean=noise(seed + 100), mask=blob(seed), effect=effect)
    assert list(ADAPTERS["ober"](tmp_path, subset="RORD-Val-343").ids) == ["RORD-Val-343/0001_1"]
    assert list(ADAPTERS["ober"](tmp_path, split="train").ids) == ["x/7"]


def test_rows_without_ground_truth_have_none(tmp_path):
    nothing = {"bytes": None, "path": None}
    rows = [row(1, "a.png", "OBER-Wild", gt=None), row(2, "b.png", "OBER-Wild", gt=nothing, object_effect_mask=None)]
    write(tmp_path / "test-0.parquet", rows)
    dataset = ADAPTERS["ober"](tmp_path)
    same(item(dataset, "OBER-Wild/a"), picture=noise(1), mask=blob(1), effect=blob(1) | blob(2))
    same(item(dataset, "OBER-Wild/b"), picture=noise(2), mask=blob(2))


def test_odd_and_repeated_paths_make_safe_ids(tmp_path):
    rows = [row(k, path) for k, path in enumerate(["a.png", "x/a.jpg", "../../b b.png", "..", ""])]
    write(tmp_path / "test-0.parquet", rows)
    rows = [row(9, "a.png", subset=None)]
    write(tmp_path / "test-1.parquet", rows)
    dataset = ADAPTERS["ober"](tmp_path)
    assert list(dataset.ids) == [
        "OBER-Test/_",
        "OBER-Test/a",
        "OBER-Test/a-2",
        "OBER-Test/b_b",
        "OBER-Test/row-0-4",
        "none/a",
    ]
    same(item(dataset, "OBER-Test/a-2"), picture=noise(1), clean=noise(101), mask=blob(1), effect=blob(1) | blob(2))


def test_damaged_pictures_are_counted(tmp_path):
    cut = cell(noise(1), "a.png")
    cut["bytes"] = cut["bytes"][: len(cut["bytes"]) // 2]
    rows = [
        row(0, "a.png", input=cut),
        row(1, "b.png", gt=noise(2)[:, 1:].copy()),
        row(2, "c.png", object_mask=noise(3)),
        row(3, "d.png", input=None),
        row(4, "e.png"),
    ]
    name = "test-00000-of-00001.parquet"
    write(tmp_path / "data" / name, rows)
    dataset = ADAPTERS["ober"](tmp_path)
    assert reason(dataset, "OBER-Test/a").startswith(f"data/{name}: OBER-Test/a: input: the image is truncated")
    sizes = f"{W - 1} x {H} pixels, its picture has {W} x {H}"
    assert reason(dataset, "OBER-Test/b") == f"data/{name}: OBER-Test/b: gt: {sizes}"
    assert reason(dataset, "OBER-Test/c").startswith(f"data/{name}: OBER-Test/c: object_mask: channels differ by up to")
    assert reason(dataset, "OBER-Test/row-0-3") == f"data/{name}: OBER-Test/row-0-3: input is null"
    item(dataset, "OBER-Test/e")


def test_damaged_row_groups_are_counted_and_others_are_read(tmp_path):
    file = tmp_path / "test-0.parquet"
    write(file, [row(k, f"{k}.png") for k in range(4)], row_group_size=2, compression="zstd")
    column = pq.ParquetFile(file).metadata.row_group(0).column(0)
    assert column.path_in_schema == "input.bytes"
    data = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    file.write_bytes(data)
    dataset = ADAPTERS["ober"](tmp_path)
    for k in (0, 1):
        assert reason(dataset, f"OBER-Test/{k}").startswith(f"test-0.parquet: OBER-Test/{k}: row group 0: ")
    assert item(dataset, "OBER-Test/2").picture.tolist() == noise(2).tolist()


def wrong(root, text, **options):
    with pytest.raises(EvalError, match=f"^{re.escape(f'{root}: {text}')}"):
        ADAPTERS["ober"](root, **options)


def test_files_that_are_not_there_or_no_parquet(tmp_path):
    wrong(tmp_path, "no OBER data set: looked for test-*.parquet, also in data/")
    write(tmp_path / "data" / "test-00000-of-00003.parquet", [row(0, "a.png")])
    write(tmp_path / "data" / "test-00002-of-00003.parquet", [row(1, "b.png")])
    wrong(tmp_path, "data/test-00001-of-00003.parquet: no such file, and 2 others of its set are there")
    (tmp_path / "data" / "test-00001-of-00003.parquet").write_bytes(b"PAR1 not")
    wrong(tmp_path, "data/test-00001-of-00003.parquet: cannot be read: ")


def test_columns_and_subsets_that_are_not_there(tmp_path):
    file = tmp_path / "test-0.parquet"
    write(file, [row(0, "a.png")])
    wrong(tmp_path, "no subset 'OBER-test'; did you mean 'OBER-Test'?", subset="OBER-test")
    write(file, [{"input": None, "subset": "x"}], pa.schema([("input", PICTURE), ("subset", pa.string())]))
    wrong(tmp_path, "test-0.parquet: no column 'gt'; it has input, subset")
    write(file, [], pa.schema([("input", pa.binary()), *[SCHEMA.field(n) for n in SCHEMA.names[1:]]]))
    wrong(tmp_path, "test-0.parquet: column 'input' is binary, must be a struct of bytes and path")
