"""Samples made again: the same bytes from the stored recipe, and clear errors where that cannot be."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.assets import read_table
from pipeline.index import read_index
from pipeline.rerender import rerender
from pipeline.shards import MEMBERS, ShardError


def rows(out: Path) -> list[dict]:
    return pq.read_table(out / "meta" / "index.parquet").to_pylist()


def change(out: Path, sample: str, **columns: object) -> None:
    """Change a row of the index."""
    path = out / "meta" / "index.parquet"
    table = pq.read_table(path)
    new = [row | columns if row["key"] == sample else row for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(new, schema=table.schema), path)


def stored(out: Path, row: dict) -> dict[str, bytes]:
    with tarfile.open(out / "data" / row["shard"]) as tar:
        return {f"{row['key']}.{n}": tar.extractfile(f"{row['key']}.{n}").read() for n in MEMBERS}


@pytest.mark.parametrize("build", ["small_build", "paired_build"])
def test_every_sample_comes_out_the_same(
    build: str, request: pytest.FixtureRequest, tiny_cache: Path, tmp_path: Path
) -> None:
    out = request.getfixturevalue(build)
    for row in rows(out):
        made = rerender(out, tiny_cache, row["key"], tmp_path / row["key"])
        assert (made.stored, made.different, made.changed) == (True, [], [])
        assert {p.name: p.read_bytes() for p in made.files} == stored(out, row)
        assert sorted(made.files) == sorted((tmp_path / row["key"]).iterdir())


def test_command_says_that_they_are_the_same(small_build: Path, tiny_cache: Path, tmp_path: Path) -> None:
    words = ["render", str(small_build), "val_000000000", "--cache", str(tiny_cache), "--to", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert result.output == f"7 files in {tmp_path}\nthe same bytes as in the shard\n"


def test_recipe_is_the_stored_one_not_planned(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    row = rows(out)[3]
    recipe = orjson.loads(row["recipe"])
    recipe["mask"] |= {"kind": "box" if row["mask_kind"] != "box" else "exact", "strength": 0.7}
    change(out, row["key"], recipe=orjson.dumps(recipe).decode())
    words = ["render", str(out), row["key"], "--cache", str(tiny_cache), "--to", str(tmp_path / "to")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert result.output.splitlines()[1] == "not the same bytes as in the shard: mask.png, json"


def test_other_code_or_libraries_are_named(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    row = rows(out)[0]
    change(out, row["key"], sha256_shadow_png="0" * 64)
    path = out / ".build" / "build.json"
    plan = orjson.loads(path.read_bytes())
    now = plan["identity"]["libraries"]["numpy"]
    plan["identity"]["libraries"]["numpy"] = "1.0"
    path.write_bytes(orjson.dumps(plan))
    words = ["render", str(out), row["key"], "--cache", str(tiny_cache), "--to", str(tmp_path / "to")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert result.output.splitlines()[1:] == [
        "not the same bytes as in the shard: shadow.png",
        f"differs from the build: libraries.numpy: 1.0 -> {now}",
    ]


def test_sample_of_an_unfinished_shard_is_planned(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    row = rows(out)[1]
    wanted = stored(out, row)
    (out / "data" / row["shard"]).unlink()
    (out / "meta" / "index.parquet").unlink()
    words = ["render", str(out), row["key"], "--cache", str(tiny_cache), "--to", str(tmp_path / "to")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert result.output.endswith("not compared: its shard is not finished, so the sample was planned anew\n")
    assert {p.name: p.read_bytes() for p in (tmp_path / "to").iterdir()} == wanted


def test_before_the_index_is_joined_the_marker_serves(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    (out / "meta" / "index.parquet").unlink()
    made = rerender(out, tiny_cache, "test_000000000", tmp_path / "to")
    assert (made.stored, made.different) == (True, [])


def test_unknown_keys(small_build: Path, tiny_cache: Path, tmp_path: Path) -> None:
    sizes = {}
    for shard in read_index(small_build)["shards"]:
        split = shard["name"].split("/")[1].split("-")[0]
        sizes[split] = sizes.get(split, 0) + shard["samples"]
    spans = {split: f"{split}_000000000 to {split}_{n - 1:09d}" for split, n in sizes.items()}
    for key, hint in {
        "train_3": "did you mean 'train_000000003'?",
        "train_000000099": f"there are {spans['train']}",
        "tran_000000001": f"there are {spans['train']}, {spans['val']}, {spans['test']}",
        "train_²": f"there are {spans['train']}",
        "": f"there are {spans['train']}, {spans['val']}, {spans['test']}",
    }.items():
        with pytest.raises(ShardError) as caught:
            rerender(small_build, tiny_cache, key, tmp_path / "to")
        assert str(caught.value) == f"{small_build}: no sample '{key}'; {hint}"
    assert not (tmp_path / "to").exists()


def test_wrong_cache(small_build: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    out = copy_of(small_build)
    with pytest.raises(ShardError) as caught:
        rerender(out, tmp_path / "cache", "train_000000000", tmp_path / "to")
    text = str(caught.value)
    assert text.startswith(f"train_000000000: {tmp_path / 'cache' / 'objects'}/")
    assert text.endswith(
        f".png is missing; give the build's own --cache (now {tmp_path / 'cache'}), "
        "or run the same layerloom build again to fetch and prepare what it needs"
    )


def test_damaged_asset(small_build: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    out, cache = copy_of(small_build), tmp_path / "cache"
    for asset in read_table(out / "meta" / "assets.parquet"):
        path = cache / "objects" / asset.sha256[:2] / f"{asset.sha256}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(ShardError, match=f"^train_000000000: an asset in {cache} is damaged: "):
        rerender(out, cache, "train_000000000", tmp_path / "to")


def test_recipe_that_is_turned_down_or_names_no_asset(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    row = rows(out)[0]
    recipe = orjson.loads(row["recipe"])
    change(out, row["key"], recipe=orjson.dumps(recipe | {"min_area": 0.999}).decode())
    with pytest.raises(
        ShardError, match=r"^train_000000000: its recipe is turned down: target_too_small \(area 0\.\d+\)$"
    ):
        rerender(out, tiny_cache, row["key"], tmp_path / "to")
    recipe["plate"]["asset"] = "moon"
    change(out, row["key"], recipe=orjson.dumps(recipe).decode())
    with pytest.raises(ShardError) as caught:
        rerender(out, tiny_cache, row["key"], tmp_path / "to")
    assert str(caught.value) == "train_000000000: asset 'moon' is not in the build's table of assets"
    assert not (tmp_path / "to").exists()


def test_key_that_the_index_lost(
    small_build: Path, copy_of: Callable[[Path], Path], tiny_cache: Path, tmp_path: Path
) -> None:
    out = copy_of(small_build)
    change(out, "train_000000002", key="train_000000001")
    with pytest.raises(ShardError, match=r"index\.parquet: 0 rows with key train_000000002 where 1 should be"):
        rerender(out, tiny_cache, "train_000000002", tmp_path / "to")
