"""Building: the same bytes for any number of workers, an index that tells the truth, and errors that cost nothing."""

import fcntl
import functools
import hashlib
import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import pipeline.build
import pipeline.collect
from pipeline.assets import Store, read_table
from pipeline.build import Summary, build, shard_tasks, split_sizes
from pipeline.index import read_index, read_rows, sha_column
from pipeline.load import load_manifest
from pipeline.manifest import Manifest
from pipeline.run import Machine
from pipeline.shards import MEMBERS, ShardError, read_members
from pipeline.sources import AssetError
from tests.makers import Silent, hashes, make_manifest, write_small

Build = Callable[..., Summary]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small.toml and its pictures. Not to be written to."""
    return write_small(tmp_path_factory.mktemp("small")).parent


@pytest.fixture(scope="module")
def small(base: Path) -> Manifest:
    return load_manifest(base / "small.toml")


@pytest.fixture(scope="module")
def reference(base: Path, small: Manifest) -> Path:
    """A finished build. Not to be written to."""
    out = base / "reference"
    assert not build(small, base, out, base / "cache", Machine(), Silent()).failed
    return out


@pytest.fixture
def run(base: Path, small: Manifest, quiet) -> Build:
    """Build serially, with the shared cache unless the test names another."""

    def of(out: Path, manifest: Manifest = small, workers: int = 0, cache: Path = base / "cache", at: Path = base):
        return build(manifest, at, out, cache, Machine(workers), quiet)

    return of


def changed(manifest: Manifest, **keys) -> Manifest:
    return Manifest.model_validate(manifest.model_dump() | keys)


def snapshot(out: Path) -> dict[str, tuple[int, int, int]]:
    """What would tell that a file was touched. The lock is no data."""
    files = [p for p in out.rglob("*") if p.is_file() and p.name != "lock"]
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_ino, p.stat().st_size) for p in files}


def _in_here(run_tasks: Callable, function: Callable, tasks: list, workers: int, address: str | None):
    return run_tasks(function, tasks, 0, address)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_any_number_of_workers_makes_the_same_bytes(
    workers: int, reference: Path, run: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if workers != 2:  # starting Ray takes seconds: only one of them also prepares the assets on it
        serial = functools.partial(_in_here, pipeline.collect.run_tasks)
        monkeypatch.setattr(pipeline.collect, "run_tasks", serial)
    summary = run(tmp_path / "out", workers=workers)
    assert (summary.samples, summary.built, summary.failed) == (24, 24, [])
    assert len(hashes(reference)) == 11  # 7 shards, two tables, index.json and build.json
    assert hashes(tmp_path / "out") == hashes(reference)


def test_the_folder_holds_what_is_promised_and_nothing_else(reference: Path) -> None:
    shards = [f"train-{k:05d}-of-00003" for k in range(3)]
    shards += [f"{split}-{k:05d}-of-00002" for split in ("val", "test") for k in range(2)]
    expected = {f"data/{s}.tar" for s in shards} | {f".build/{s}.parquet" for s in shards}
    expected |= {"meta/assets.parquet", "meta/index.parquet", "index.json", ".build/build.json", ".build/lock"}
    assert {p.relative_to(reference).as_posix() for p in reference.rglob("*") if p.is_file()} == expected


def test_the_table_of_assets_is_what_was_collected(base: Path, small: Manifest, reference: Path) -> None:
    collected = pipeline.collect.collect(small, base, base / "cache", Machine(), Silent())
    assert read_table(reference / "meta" / "assets.parquet") == collected.assets


def test_another_seed_makes_other_pictures(run: Build, small: Manifest, reference: Path, tmp_path: Path) -> None:
    run(tmp_path / "out", changed(small, seed=78))
    other, first = hashes(tmp_path / "out"), hashes(reference)
    assert all(other[name] != first[name] for name in first)


def test_the_index_tells_the_truth(reference: Path) -> None:
    rows = read_rows(reference).to_pylist()
    assert Counter(r["split"] for r in rows) == {"train": 12, "val": 6, "test": 6}
    assert len({r["key"] for r in rows}) == 24
    for shard in read_index(reference)["shards"]:
        path = reference / shard["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == shard["sha256"]
        assert path.stat().st_size == shard["num_bytes"]
        members = list(read_members(path))
        here = [r for r in rows if r["shard"] == path.name]
        assert shard["samples"] == len(here) == len(members) // len(MEMBERS)
        for row, first in zip(here, range(0, len(members), len(MEMBERS)), strict=True):
            assert members[first].offset == row["offset"]
            for name, member in zip(MEMBERS, members[first : first + len(MEMBERS)], strict=True):
                assert member.name == f"{row['key']}.{name}"
                assert hashlib.sha256(member.data).hexdigest() == row[sha_column(name)]
            stored = orjson.loads(member.data)
            assert {k: row[k] for k in stored} == stored
    index = read_index(reference)
    assert index["samples"] == 24
    assert index["fingerprint"] == orjson.loads((reference / ".build" / "build.json").read_bytes())["fingerprint"]


def test_no_asset_is_in_two_splits(reference: Path) -> None:
    split_of = {a.id: a.split for a in read_table(reference / "meta" / "assets.parquet")}
    for row in read_rows(reference).to_pylist():
        assert {split_of[layer["asset"]] for layer in row["layers"]} == {row["split"]}


def test_a_finished_build_is_left_alone(reference: Path, run: Build, tmp_path: Path, quiet) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    before = snapshot(out / "data")
    summary = run(out)
    assert (summary.samples, summary.built) == (24, 0)
    assert snapshot(out / "data") == before
    assert hashes(out) == hashes(reference)
    assert quiet.notes == ["7 finished shards are kept"]


@pytest.mark.parametrize("lost", ["data/val-00001-of-00002.tar", ".build/val-00001-of-00002.parquet"])
def test_only_what_is_missing_is_made(lost: str, reference: Path, run: Build, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    (out / lost).unlink()
    before = snapshot(out / "data")
    assert run(out).built == 3
    after = snapshot(out / "data")
    assert {k: v for k, v in after.items() if "val-00001" not in k} == {
        k: v for k, v in before.items() if "val-00001" not in k
    }
    assert hashes(out) == hashes(reference)


def test_a_shard_of_another_size_is_made_again(reference: Path, run: Build, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    shard = out / "data" / "train-00001-of-00003.tar"
    shard.write_bytes(shard.read_bytes()[:-512])
    assert run(out).built == 4
    assert hashes(out) == hashes(reference)


def test_what_a_killed_build_left_is_swept(reference: Path, run: Build, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    for name in ("data/.train-00000-of-00003.tar.123.tmp", ".build/.x.tmp", "meta/.y.tmp", ".index.json.9.tmp"):
        (out / name).write_bytes(b"half")
    run(out)
    assert list(out.rglob("*.tmp")) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"seed": 78}, "\n  seed: 77 -> 78\n"),
        ({"samples": 30}, "\n  samples: 24 -> 30\n"),
        ({"shadow": {"fraction": 0.5}}, "\n  shadow.fraction: 0.7 -> 0.5\n"),
        ({"occlusion": {"visible": (0.3, 0.9)}}, "\n  occlusion.visible[1]: 0.95 -> 0.9\n"),
    ],
)
def test_another_build_in_the_folder(
    keys: dict, line: str, reference: Path, run: Build, small: Manifest, tmp_path: Path
) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    before = snapshot(out)
    with pytest.raises(ShardError) as caught:
        run(out, changed(small, **keys))
    text = str(caught.value)
    assert text.startswith(f"{out}: holds another build; nothing was touched. What differs:\n")
    assert line in text
    assert text.endswith("\nGive another --out, or remove this folder.")
    assert snapshot(out) == before
    assert run(out).built == 0


def test_other_libraries_are_another_build(reference: Path, run: Build, monkeypatch, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    versions = pipeline.build.library_versions()
    monkeypatch.setattr(pipeline.build, "library_versions", lambda: versions | {"numpy": "1.0"})
    with pytest.raises(ShardError, match=rf"libraries\.numpy: {versions['numpy']} -> 1\.0"):
        run(out)


def test_other_pictures_are_another_build(base: Path, reference: Path, run: Build, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    at = tmp_path / "at"
    for name in ("cutouts", "photos"):
        shutil.copytree(base / name, at / name)
    next((at / "photos").iterdir()).unlink()
    with pytest.raises(ShardError, match=r"holds another build; nothing was touched. What differs:\n  assets: "):
        run(out, at=at)


def test_two_builds_at_once(reference: Path, run: Build, tmp_path: Path) -> None:
    out = shutil.copytree(reference, tmp_path / "out")
    before = snapshot(out)
    with (out / ".build" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # the weaker kind: a build must ask for the stronger
        with pytest.raises(ShardError) as caught:
            run(out)
        assert str(caught.value) == f"{out}: another build is running in this folder"
    assert snapshot(out) == before
    assert run(out).built == 0


def test_out_is_a_file(run: Build, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(ShardError) as caught:
        run(tmp_path / "out")
    assert str(caught.value) == f"{tmp_path / 'out'}: cannot be written: Not a directory"


def test_a_damaged_asset_costs_its_shards_only(base: Path, reference: Path, run: Build, tmp_path: Path, quiet) -> None:
    cache = shutil.copytree(base / "cache", tmp_path / "cache")
    out = tmp_path / "out"
    row = read_rows(reference).to_pylist()[0]
    path = Store(cache / "objects").path(row["layers"][0]["sha256"])
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + bytes(20) + whole[220:])
    summary = run(out, cache=cache)
    touched = {r["shard"] for r in read_rows(reference).to_pylist() if path.stem in {x["sha256"] for x in r["layers"]}}
    # A layout that was rejected may also have looked at the damaged asset.
    assert {line.split(":")[0] for line in summary.failed} >= touched
    assert len(summary.failed) < 7
    assert sorted(quiet.notes) == [f"failed: {line}" for line in summary.failed]
    assert not (out / "index.json").exists()
    done = {p.name for p in (out / "data").iterdir()}
    assert done.isdisjoint({line.split(":")[0] for line in summary.failed})
    path.write_bytes(whole)
    again = run(out, cache=cache)
    assert (again.failed, hashes(out)) == ([], hashes(reference))


def test_scenes_that_cannot_be_laid_out_fail_with_their_reasons(run: Build, small: Manifest, tmp_path: Path) -> None:
    keys = {"objects": {"real_fraction": 1.0, "area_bounds": (0.9, 0.95)}, "max_attempts": 3}
    summary = run(tmp_path / "out", changed(small, **keys))
    assert len(summary.failed) == 7
    assert summary.failed[0].startswith("test-00000-of-00002.tar: test_000000000: no layout accepted in max_attempts")
    assert "max_attempts = 3 (3 asset_too_small)" in summary.failed[0]


def test_a_missing_source_leaves_no_trace(run: Build, tmp_path: Path) -> None:
    with pytest.raises(AssetError) as caught:
        run(tmp_path / "out", at=tmp_path)
    assert "source 'cutouts'" in str(caught.value)
    assert f"path = 'cutouts' does not exist (looked at {tmp_path / 'cutouts'})" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_sizes_of_splits() -> None:
    assert split_sizes(make_manifest(samples=2000)) == {"train": 1800, "val": 100, "test": 100}
    assert split_sizes(make_manifest(samples=1)) == {"train": 1, "val": 0, "test": 0}
    odd = make_manifest(samples=10, shard_size=2, paired=True, splits={"train": 0.5, "val": 0.25, "test": 0.25})
    assert split_sizes(odd) == {"train": 6, "val": 2, "test": 2}


@given(st.integers(1, 3000), st.integers(1, 50), st.booleans(), st.integers(1, 98))
def test_shards_partition_the_samples(half: int, half_size: int, paired: bool, percent: int) -> None:
    splits = {"train": percent / 100, "val": (99 - percent) / 100, "test": 0.01}
    m = make_manifest(samples=2 * half, shard_size=2 * half_size, paired=paired, splits=splits)
    tasks = shard_tasks(m, Path("out"), Path("cache"), "f")
    assert sum(t.stop - t.start for t in tasks) == m.samples
    assert len({t.name for t in tasks}) == len(tasks)
    for split, total in split_sizes(m).items():
        mine = [t for t in tasks if t.split == split]
        sizes = [t.stop - t.start for t in mine]
        assert total >= 0
        assert [t.start for t in mine] == [0, *(t.stop for t in mine)][: len(mine)]
        assert sum(sizes) == total
        assert {t.num_shards for t in mine} <= {len(mine)}
        if sizes:
            assert 1 <= min(sizes) <= max(sizes) <= m.shard_size
            assert max(sizes) - min(sizes) <= (2 if paired else 1)
        assert not paired or all(t.start % 2 == 0 for t in mine)


def decoded(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def test_pairs_show_the_same_scene_with_and_without_what_is_in_front(
    run: Build, small: Manifest, tmp_path: Path
) -> None:
    m = changed(small, paired=True, samples=24, occlusion={"fraction": 0.6})
    out = tmp_path / "out"
    assert not run(out, m).failed
    rows = {r["key"]: r for r in read_rows(out).to_pylist()}
    members = {x.name: x.data for p in (out / "data").iterdir() for x in read_members(p)}
    pairs = 0
    for key, row in rows.items():
        if not row["pair"]:
            assert not row["occluded"]
            continue
        other = rows[row["pair"]]
        assert (other["pair"], other["shard"]) == (key, row["shard"])
        assert other["occluded"] is not row["occluded"]
        if not row["occluded"]:
            continue
        pairs += 1
        assert (row["index"] % 2, other["index"]) == (0, row["index"] + 1)
        for name in ("foreground.png", "shadow.png"):
            assert members[f"{key}.{name}"] == members[f"{row['pair']}.{name}"]
        assert decoded(members[f"{key}.occluder.png"]).any()
        assert not decoded(members[f"{row['pair']}.occluder.png"]).any()
        assert (other["visible_fraction"], other["attempt"]) == (1.0, row["attempt"])
    assert pairs >= 4


def test_licences_of_a_sample_are_those_of_its_layers(base: Path, run: Build, small: Manifest, tmp_path: Path) -> None:
    sources = [s.model_dump() for s in small.sources]
    sources[0]["license"] = "MIT OR Apache-2.0"
    m = changed(small, sources=sources, licenses=("CC0-1.0", "MIT"))
    run(tmp_path / "out", m)
    assert set(read_rows(tmp_path / "out")["license"].to_pylist()) == {"(MIT OR Apache-2.0) AND CC0-1.0"}


def test_markers_hold_their_rows_and_facts(reference: Path) -> None:
    total = 0
    for path in (reference / ".build").glob("*.parquet"):
        table = pq.read_table(path)
        facts = orjson.loads(table.schema.metadata[b"shard"])
        shard = reference / "data" / f"{path.stem}.tar"
        assert facts["num_bytes"] == shard.stat().st_size
        assert set(table["shard"].to_pylist()) == {shard.name}
        total += table.num_rows
    assert total == 24
