"""Shards against Python's tarfile and GNU tar: standard files, the same bytes every time, whole or absent."""

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards import MEMBERS, ShardError, read_members, sample_key, shard_name, sweep, write_shard

ROOT = Path(__file__).resolve().parents[2]
NAME = "train-00000-of-00001.tar"

payloads = st.lists(st.lists(st.binary(max_size=1500), min_size=7, max_size=7), max_size=4)


def samples(sizes: list[list[bytes]]) -> list[tuple[str, dict[str, bytes]]]:
    return [(sample_key("train", k), dict(zip(MEMBERS, parts, strict=True))) for k, parts in enumerate(sizes)]


def some(count: int = 3) -> list[tuple[str, dict[str, bytes]]]:
    return samples([[bytes([65 + k + m]) * (511 + m) for m in range(7)] for k in range(count)])


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    write_shard(path, some())
    return path


def test_names() -> None:
    assert shard_name("train", 3, 16) == "train-00003-of-00016.tar"
    assert sample_key("val", 17) == "val_000000017"
    assert "." not in sample_key("test", 10**8)


@given(payloads)
def test_tarfile_reads_what_was_written(tmp_path_factory: pytest.TempPathFactory, sizes: list[list[bytes]]) -> None:
    path = tmp_path_factory.mktemp("shard") / NAME
    written = write_shard(path, samples(sizes))
    raw = path.read_bytes()
    assert written.num_bytes == len(raw)
    assert len(raw) % tarfile.RECORDSIZE == 0
    assert written.sha256 == hashlib.sha256(raw).hexdigest()
    flat = [(f"{key}.{name}", data) for key, members in samples(sizes) for name, data in members.items()]
    with tarfile.open(path, "r:") as tar:
        infos = tar.getmembers()
        assert [(i.name, tar.extractfile(i).read()) for i in infos] == flat
    assert written.offsets == tuple(i.offset for i in infos[:: len(MEMBERS)])
    assert [(m.name, m.data, m.offset) for m in read_members(path)] == [
        (n, d, i.offset) for (n, d), i in zip(flat, infos, strict=True)
    ]


def test_headers_are_plain_and_fixed(shard: Path) -> None:
    with tarfile.open(shard, "r:") as tar:
        for info in tar:
            assert (info.mtime, info.uid, info.gid, info.mode) == (0, 0, 0, 0o644)
            assert (info.uname, info.gname, info.type, info.pax_headers) == ("", "", tarfile.REGTYPE, {})
    raw = shard.read_bytes()
    assert raw[257:265] == b"ustar\x0000"
    assert raw.count(b"ustar") == 21  # one header a member, none for extended attributes


def test_gnu_tar_lists_and_extracts(shard: Path, tmp_path: Path) -> None:
    tar = shutil.which("tar")
    assert tar
    listed = subprocess.run(
        [tar, "-tvf", str(shard)], capture_output=True, text=True, check=True, env=os.environ | {"TZ": "UTC"}
    )
    assert listed.stderr == ""
    lines = [line.split() for line in listed.stdout.splitlines()]
    assert [line[-1] for line in lines] == [f"{key}.{name}" for key, members in some() for name in members]
    assert {(line[0], line[1], line[3]) for line in lines} == {("-rw-r--r--", "0/0", "1970-01-01")}
    assert [int(line[2]) for line in lines] == [511 + m for m in range(7)] * 3
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([tar, "-xf", str(shard), "-C", str(out)], check=True)
    for key, members in some():
        for name, data in members.items():
            assert (out / f"{key}.{name}").read_bytes() == data


def test_the_same_bytes_again(tmp_path: Path) -> None:
    first = write_shard(tmp_path / "a.tar", some())
    second = write_shard(tmp_path / "b.tar", iter(some()))
    assert first == second
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_members_must_be_the_seven_in_order(tmp_path: Path) -> None:
    (key, members), *_ = some()
    for wrong in (dict(reversed(members.items())), {k: v for k, v in members.items() if k != "json"}):
        with pytest.raises(AssertionError, match=key):
            write_shard(tmp_path / NAME, [(key, wrong)])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_making_a_sample_fails(tmp_path: Path) -> None:
    path = tmp_path / NAME

    def failing():
        yield some()[0]
        assert [p.name for p in tmp_path.iterdir()] == [f".{NAME}.{os.getpid()}.tmp"]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_shard(path, failing())
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rewrite_keeps_the_old_file(shard: Path) -> None:
    before = shard.read_bytes()

    def failing():
        yield some()[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(shard, failing())
    assert shard.read_bytes() == before


FULL_DISK = """
import resource, sys
from pathlib import Path
from pipeline.shards import MEMBERS, ShardError, write_shard
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
members = {{name: bytes({size}) for name in MEMBERS}}
try:
    write_shard(Path(sys.argv[1]), [(f"train_{{k:09d}}", members) for k in range({count})])
except ShardError as error:
    sys.stdout.write(str(error))
"""


# The limit is met while samples are written (the 1 MiB buffer overflows), and only when the buffer is flushed.
@pytest.mark.parametrize(("size", "count", "limit"), [(400_000, 3, 2_000_000), (10_000, 3, 100_000)])
def test_full_disk(tmp_path: Path, size: int, count: int, limit: int) -> None:
    path = tmp_path / NAME
    code = FULL_DISK.format(size=size, count=count, limit=limit)
    ran = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout == f"{path}: cannot be written: File too large"
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "gone" / NAME
    with pytest.raises(ShardError) as caught:
        write_shard(path, some())
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory"


def read(path: Path) -> str:
    """The error's text without the path."""
    with pytest.raises(ShardError) as caught:
        list(read_members(path))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_cut_between_members_is_seen(shard: Path) -> None:
    raw = shard.read_bytes()
    with tarfile.open(shard, "r:") as tar:
        starts = [i.offset for i in tar][1:]
    for at in starts:
        shard.write_bytes(raw[:at])
        with tarfile.open(shard, "r:") as tar:
            tar.getmembers()  # other readers take it
        assert read(shard) == f"the two zero blocks that end a tar are missing after byte {at} of {at}"


def test_a_cut_anywhere_is_seen(shard: Path) -> None:
    raw = shard.read_bytes()
    content = len(raw.rstrip(b"\0"))
    assert content > 10_000
    for at in [1, 100, 511, 513, 600, *range(1111, content, 997), content]:
        shard.write_bytes(raw[:at])
        read(shard)


def test_one_zero_block_is_too_few(shard: Path) -> None:
    with tarfile.open(shard, "r:") as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + 1024  # 517 bytes in two blocks
    raw = shard.read_bytes()
    shard.write_bytes(raw[: end + 512])
    assert "the two zero blocks" in read(shard)
    shard.write_bytes(raw[: end + 1024])
    assert len(list(read_members(shard))) == 21


def test_something_after_the_end_is_seen(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes() + b"more")
    assert "the two zero blocks" in read(shard)


@pytest.mark.parametrize("content", [b"", b"no tar", bytes(range(256)) * 80, b"\x1f\x8b" + bytes(2000)])
def test_garbage_is_no_tar(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    assert read(path).startswith("not a readable tar: ")


def test_a_damaged_header_is_seen(shard: Path) -> None:
    raw = bytearray(shard.read_bytes())
    with tarfile.open(shard, "r:") as tar:
        offset = tar.getmembers()[9].offset
    raw[offset + 5] ^= 1
    shard.write_bytes(raw)
    assert f"the two zero blocks that end a tar are missing after byte {offset}" in read(shard)


def test_sweep_takes_temporaries_only(shard: Path) -> None:
    folder = shard.parent
    for name in (f".{NAME}.77.tmp", ".x.tmp", "y.tmp", ".keep"):
        (folder / name).write_bytes(b"x")
    assert sweep(folder) == 2
    assert sorted(p.name for p in folder.iterdir()) == [".keep", NAME, "y.tmp"]
    assert sweep(folder) == 0
