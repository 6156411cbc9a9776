"""Exports go on where they ended, name what is damaged, and never mix two builds, formats or splits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.exports import FORMATS, export, run
from pipeline.shards import MEMBERS, ShardError


def states(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Relative path -> inode, mtime and content of every file, hidden ones too."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (_, _, data) in states(folder).items()}


def test_png_folders_hold_every_member(exported: Callable, stored: list) -> None:
    root = exported("png")
    assert {p.name for p in root.iterdir() if p.is_dir()} == {s.row["key"] for s in stored}
    for sample in stored:
        folder = root / sample.row["key"]
        assert {p.name for p in folder.iterdir()} == {*MEMBERS[:-1], "sample.json"}
        assert all((folder / name).read_bytes() == sample.members[name] for name in MEMBERS[:-1])
        assert json.loads((folder / "sample.json").read_text())["key"] == sample.row["key"]


def test_splits_limits_and_the_listener(small_build: Path, tmp_path: Path, count: object) -> None:
    assert export(small_build, tmp_path / "all", "png", "all", 0, count) == 12
    assert (count.stages, count.units) == ([("export", 12)], 12)
    assert export(small_build, tmp_path / "val", "png", "val", 5, count) == 1
    assert export(small_build, tmp_path / "three", "png", "train", 3, count) == 3
    assert export(small_build, tmp_path / "three", "png", "train", 5, count) == 2
    names = {p.name for p in (tmp_path / "three").iterdir() if p.is_dir()}
    assert names == {f"train_{k:09d}" for k in range(5)}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_complete_is_not_written_again(
    name: str, exported: Callable, small_build: Path, count: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "psd":
        pytest.importorskip("psd_tools")
    to = exported(name)
    before = states(to)
    key = "train_000000004"
    gone = to / FORMATS[name].files(key)[-1]
    gone.unlink()
    lists = {"dataset.toml", "metadata.jsonl"}
    assert export(small_build, to, name, "train", 0, count) == 1
    after = states(to)
    assert {n: data for n, (_, _, data) in before.items()} == {n: data for n, (_, _, data) in after.items()}
    kept = set(before) - set(FORMATS[name].files(key)) - lists
    assert {n: before[n] for n in kept} == {n: after[n] for n in kept}
    monkeypatch.setattr(run, "read_sample", None)  # a complete export reads no sample
    assert export(small_build, to, name, "train", 0, count) == 0


def test_an_interrupted_export_goes_on(
    small_build: Path, tmp_path: Path, count: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(small_build, tmp_path / "whole", "diffsynth", "train", 0, count)
    cut, written, real = tmp_path / "cut", [], run.write_atomic

    def failing(path: Path, data: bytes) -> None:
        if len(written) == 18:  # in the fourth sample
            path.with_name(f".{path.name}.1.tmp").write_bytes(data[:9])
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(run, "write_atomic", failing)
        with pytest.raises(KeyboardInterrupt):
            export(small_build, cut, "diffsynth", "train", 0, count)
    assert not (cut / "metadata.jsonl").exists()
    assert export(small_build, cut, "diffsynth", "train", 0, count) == 7
    assert contents(cut) == contents(tmp_path / "whole")


def test_a_damaged_member_names_its_sample(
    small_build: Path, copy_of: Callable, tmp_path: Path, count: object, stored: list
) -> None:
    out = copy_of(small_build)
    sample = stored[6]
    shard = out / "data" / sample.row["shard"]
    raw = bytearray(shard.read_bytes())
    at = raw.index(sample.members["occluder.png"], sample.row["offset"]) + len(sample.members["occluder.png"]) // 2
    raw[at] ^= 1
    shard.write_bytes(raw)
    with pytest.raises(ShardError) as caught:
        export(out, tmp_path / "to", "flux-fill", "train", 0, count)
    assert str(caught.value).startswith(f"{shard}: {sample.row['key']}.occluder.png is damaged: its SHA-256 is ")
    assert sample.row["sha256_occluder_png"] in str(caught.value)
    assert len(list((tmp_path / "to").glob("*_G.png"))) == 6


def test_a_shard_that_is_cut_names_the_sample(
    small_build: Path, copy_of: Callable, tmp_path: Path, count: object, stored: list
) -> None:
    out = copy_of(small_build)
    shard = out / "data" / stored[8].row["shard"]
    shard.write_bytes(shard.read_bytes()[: stored[8].row["offset"] + 1500])
    with pytest.raises(ShardError, match=f"{stored[8].row['key']} cannot be read at byte"):
        export(out, tmp_path / "to", "png", "train", 0, count)


def test_an_export_keeps_to_its_build_format_and_split(
    small_build: Path, paired_build: Path, tmp_path: Path, count: object
) -> None:
    to = tmp_path / "to"
    export(small_build, to, "png", "train", 1, count)
    before = states(to)
    for out, name, split, text in (
        (paired_build, "png", "train", "an export of build "),
        (small_build, "ora", "train", "an export of format png, not ora; give another folder"),
        (small_build, "png", "all", "an export of split train, not all"),
    ):
        with pytest.raises(ShardError, match=text):
            export(out, to, name, split, 0, count)
    assert states(to) == before
    (to / "export.json").write_bytes(b"[1")
    with pytest.raises(ShardError, match=r"export\.json: damaged"):
        export(small_build, to, "png", "train", 0, count)


def test_a_folder_with_other_files_is_left_alone(small_build: Path, tmp_path: Path, count: object) -> None:
    (tmp_path / "holiday.png").write_bytes(b"x")
    with pytest.raises(ShardError, match=r"holds holiday\.png but no export\.json"):
        export(small_build, tmp_path, "png", "train", 0, count)
    assert contents(tmp_path) == {"holiday.png": b"x"}
    with pytest.raises(ShardError, match=r"holiday\.png: cannot be written"):
        export(small_build, tmp_path / "holiday.png", "png", "train", 0, count)


@pytest.mark.parametrize(
    ("name", "split", "limit", "text"),
    [
        ("flux_fill", "train", 0, "^format: there is no 'flux_fill'; did you mean 'flux-fill'"),
        ("webp", "train", 0, "^format: there is no 'webp'; there are flux-fill, musubi, diffsynth, png, ora, psd$"),
        ("png", "trian", 0, "^split: there is no 'trian'; did you mean 'train'"),
        ("png", "x", 0, "^split: there is no 'x'; there are all, train, val, test$"),
        ("png", "train", -1, r"^limit: must be 0 \(all\) or more, got -1"),
    ],
)
def test_what_is_asked_is_checked_first(
    name: str, split: str, limit: int, text: str, small_build: Path, tmp_path: Path, count: object
) -> None:
    with pytest.raises(ShardError, match=text):
        export(small_build, tmp_path / "to", name, split, limit, count)
    assert not (tmp_path / "to").exists()


def test_no_build_no_export(tmp_path: Path, count: object) -> None:
    with pytest.raises(ShardError, match="no build here"):
        export(tmp_path / "none", tmp_path / "to", "png", "train", 0, count)


def test_credits_travel_with_the_pictures_and_the_build_stays_as_it_is(
    small_build: Path, copy_of: Callable, tmp_path: Path, count: object
) -> None:
    out = copy_of(small_build)
    (out / "ATTRIBUTION.md").write_bytes(b"# Credits")
    before = states(out)
    for name in ("flux-fill", "musubi", "png", "ora"):
        export(out, tmp_path / name, name, "val", 0, count)
        assert (tmp_path / name / "ATTRIBUTION.md").read_bytes() == b"# Credits"
    assert states(out) == before
