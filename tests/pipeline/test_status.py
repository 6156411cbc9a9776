"""Status of a build that is finished, half done, damaged, or not there."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.shards import ShardError
from pipeline.status import lines, status


def shards(out: Path) -> list[str]:
    return sorted((p.name for p in (out / "data").glob("*.tar")), key=lambda n: ("train", "val", "test").index(n[:-19]))


class Half(NamedTuple):
    out: Path
    kept: list[str]
    cut: str
    missing: list[str]
    samples: int


@pytest.fixture
def half(tiny_build: Path, copy_of: Callable[[Path], Path]) -> Half:
    """The first shard cut short; the second missing and being written; the last missing; no index."""
    out, names = copy_of(tiny_build), shards(tiny_build)
    rows = pq.read_table(out / "meta" / "index.parquet", columns=["shard"])["shard"].to_pylist()
    (out / "index.json").unlink()
    kept, missing = names[2:-1], [names[1], names[-1]]
    for name in missing:
        (out / "data" / name).unlink()
        (out / ".build" / f"{name[:-4]}.parquet").unlink()
    with (out / "data" / names[0]).open("r+b") as file:
        file.truncate(1024)
    (out / "data" / f".{names[1]}.4711.tmp").write_bytes(b"half a shard")
    return Half(out, kept, names[0], missing, sum(rows.count(name) for name in kept))


def test_finished(tiny_build: Path) -> None:
    s = status(tiny_build)
    stored = orjson.loads((tiny_build / "index.json").read_bytes())
    count = len(shards(tiny_build))
    assert (s.shards, s.finished, s.samples, s.complete) == (count, count, 64, True)
    assert s.num_bytes == sum(p.stat().st_size for p in (tiny_build / "data").glob("*.tar"))
    assert s.rejects == sum((Counter(shard["rejects"]) for shard in stored["shards"]), Counter())
    assert (s.missing, s.begun, s.damaged) == ([], [], [])


def test_half_done(half: Half) -> None:
    s = status(half.out)
    assert (s.finished, s.complete) == (len(half.kept), False)
    assert s.samples == half.samples > 0
    assert s.num_bytes == sum((half.out / "data" / name).stat().st_size for name in half.kept)
    assert s.missing == half.missing
    assert s.begun == half.missing[:1]
    assert s.damaged == [half.cut]


def test_half_done_as_text(half: Half) -> None:
    result = CliRunner().invoke(app, ["status", str(half.out)])
    text = result.output.splitlines()
    fingerprint = orjson.loads((half.out / ".build" / "build.json").read_bytes())["fingerprint"]
    assert result.exit_code == 0
    assert text[0] == f"building 'tiny': 64 samples at 128 px, fingerprint {fingerprint[:16]}"
    assert text[1] == f"shards: {len(half.kept)} of {len(half.kept) + 3}"
    assert text[2] == f"samples: {half.samples} of 64"
    assert f"missing: {', '.join(half.missing)}" in text
    assert f"begun: {half.missing[0]}" in text
    assert f"damaged: {half.cut}" in text
    assert text[-1] == "not complete: 3 shards are missing; the same layerloom build goes on with it"


def test_all_shards_but_no_index(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    (out / "meta" / "index.parquet").unlink()
    assert list(lines(status(out)))[-1].startswith("not complete: the index is missing; ")


def test_index_of_another_build_is_none(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    out = copy_of(small_build)
    stored = orjson.loads((out / "index.json").read_bytes())
    (out / "index.json").write_bytes(orjson.dumps(stored | {"fingerprint": "0" * 64}))
    assert not status(out).complete


def test_nothing_made_yet_lists_eight_shards(tiny_build: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_build / ".build", tmp_path / ".build", ignore=shutil.ignore_patterns("*.parquet"))
    stored = orjson.loads((tmp_path / ".build" / "build.json").read_bytes())
    stored["manifest"]["shard_size"] = 5  # 64 samples: 12 + 1 + 1 shards
    (tmp_path / ".build" / "build.json").write_bytes(orjson.dumps(stored))
    s = status(tmp_path)
    assert (s.finished, s.samples, s.num_bytes, len(s.missing)) == (0, 0, 0, s.shards)
    text = list(lines(s))
    assert text[4] == "layouts redrawn: none"
    assert text[5].startswith("missing: train-00000-of-00012.tar, ")
    assert text[5].endswith(f"train-00007-of-00012.tar and {s.shards - 8} more")


def test_no_build(tmp_path: Path) -> None:
    with pytest.raises(ShardError) as caught:
        status(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no build here: {tmp_path / '.build' / 'build.json'} is missing"


def test_build_of_another_version(small_build: Path, copy_of: Callable[[Path], Path]) -> None:
    path = copy_of(small_build) / ".build" / "build.json"
    stored = orjson.loads(path.read_bytes())
    stored["manifest"]["objects"]["glow"] = 1.0
    path.write_bytes(orjson.dumps(stored))
    with pytest.raises(ShardError) as caught:
        status(path.parent.parent)
    wanted = f"{path}: written by another version of layerloom: objects.glow: extra inputs are not permitted"
    assert str(caught.value) == wanted
