"""Data sets behind an address: the same samples, every shard fetched once, and what a bad net can do."""

import hashlib
import multiprocessing
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from model.data import download
from model.data.download import DataError, MissingError, read_whole
from model.data.index import DataSet, open_dataset
from model.data.sample import read_members
from model.data.source import Folder, Web, open_store, shard_cache
from tests.model.data.conftest import Server

Serve = Callable[[Path], Server]
MEMBERS = ("composite.png", "mask.png")
SHARD = "data/val-00000-of-00001.tar"


def contents(data: DataSet) -> list[tuple[str, dict[str, bytes]]]:
    return [(row.key, read_members(row, MEMBERS)) for row in data.rows]


def test_the_same_samples_and_each_shard_once(built: Path, serve: Serve, tmp_path: Path) -> None:
    server = serve(built)
    remote = open_dataset(f"{server.address}/", "train", tmp_path / "cache")
    assert server.seen == ["index.json", "meta/index.parquet"], "shards wait until they are read"
    assert contents(remote) == contents(open_dataset(str(built), "train"))
    shards = [f"data/{p.name}" for p in sorted((built / "data").glob("train-*"))]
    assert server.seen[2:] == shards
    contents(open_dataset(server.address, "train", tmp_path / "cache"))
    assert sorted(server.seen) == sorted([*shards, *["index.json", "meta/index.parquet"] * 2])


def test_copies_are_named_by_their_content(built: Path, serve: Serve, tmp_path: Path) -> None:
    contents(open_dataset(serve(built).address, "val", tmp_path / "cache"))
    digest = hashlib.sha256((built / SHARD).read_bytes()).hexdigest()
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [f"{digest}.tar"]


def test_threads_that_want_one_shard_fetch_it_once(built: Path, serve: Serve, tmp_path: Path) -> None:
    server = serve(built)
    data = [open_dataset(server.address, "val", tmp_path / "cache") for _ in range(4)]
    threads = [threading.Thread(target=contents, args=(d,)) for d in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.seen.count(SHARD) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize(
    "faults",
    [[503], [429, 500], [("cut", 1000)], [("say", b"x" * 70)], [("cut", 0), 502, ("cut", 9), 408]],
    ids=str,
)
def test_what_passes_is_tried_again(built: Path, serve: Serve, tmp_path: Path, faults: list[Any]) -> None:
    server = serve(built)
    server.faults[SHARD].extend(faults)
    data = open_dataset(server.address, "val", tmp_path / "cache")
    assert contents(data) == contents(open_dataset(str(built), "val"))
    assert server.seen.count(SHARD) == 1 + len(faults)


def test_a_cut_index_is_tried_again(built: Path, serve: Serve, tmp_path: Path) -> None:
    server = serve(built)
    server.faults["index.json"].append(("cut", 10))
    server.faults["meta/index.parquet"].append(("cut", 100))
    assert len(open_dataset(server.address, "val", tmp_path).rows) == 4
    assert server.seen == ["index.json"] * 2 + ["meta/index.parquet"] * 2


def other(data: bytes) -> bytes:
    return data[:700] + bytes([data[700] ^ 1]) + data[701:]


@pytest.mark.parametrize(
    ("fault", "text", "tries"),
    [
        (500, "cannot be fetched, tried 5 times: 500 Internal Server Error", 5),
        (403, "the server says 403 Forbidden", 1),
        (404, "the server says 404 Not Found", 1),
        (("cut", 1000), "cannot be fetched, tried 5 times: 1000 bytes, index.json says {size}", 5),
        ("other", "cannot be fetched, tried 5 times: SHA-256 is {found}, index.json says {sha}", 5),
        ("longer", "cannot be fetched, tried 5 times: more than {size} bytes", 5),
    ],
    ids=str,
)
def test_a_shard_that_does_not_come(
    built: Path, serve: Serve, tmp_path: Path, fault: Any, text: str, tries: int
) -> None:
    server, data = serve(built), (built / SHARD).read_bytes()
    answer = {"other": ("say", other(data)), "longer": ("say", data + b"x")}.get(fault, fault)
    server.faults[SHARD].extend([answer] * 9)
    with pytest.raises(DataError) as caught:
        contents(open_dataset(server.address, "val", tmp_path / "cache"))
    facts = {"size": len(data), "found": hashlib.sha256(other(data)).hexdigest()}
    text = text.format(sha=hashlib.sha256(data).hexdigest(), **facts)
    assert str(caught.value) == f"{server.address}/{SHARD}: {text}"
    assert server.seen.count(SHARD) == tries
    assert list((tmp_path / "cache").glob("*.tar")) == [], "a damaged shard is kept under its final name"
    server.faults.clear()
    contents(open_dataset(server.address, "val", tmp_path / "cache"))


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.0)
    with pytest.raises(
        DataError, match=r"^http://127\.0\.0\.1:9/x/index\.json: cannot be fetched, tried 5 times: .*re"
    ):
        open_dataset("http://127.0.0.1:9/x", "val", tmp_path)


def test_no_data_set_at_an_address(serve: Serve, tmp_path: Path) -> None:
    address = serve(tmp_path).address
    with pytest.raises(DataError, match=f"^{address}: no data set: it has no index.json; build one with"):
        open_dataset(address, "val", tmp_path / "cache")
    with pytest.raises(MissingError, match=f"^{address}/x: the server says 404 Not Found$"):
        read_whole(f"{address}/x", 9)


def test_no_more_than_asked_for_is_read(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 100)
    address = serve(tmp_path).address
    assert read_whole(f"{address}/big", 100) == b"x" * 100
    with pytest.raises(DataError, match=r"more than 99 bytes$"):
        read_whole(f"{address}/big", 99)


def test_redirects_stay_on_the_web(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("secret")
    server = serve(tmp_path)
    server.faults["file"].append(("to", f"{server.address}/file"))
    assert read_whole(f"{server.address}/file", 99) == b"secret"
    for target in (f"file://{tmp_path}/file", "ftp://127.0.0.1/file", "data:,secret"):
        server.faults["file"].extend([("to", target)] * 5)
        with pytest.raises(DataError, match=rf"^{server.address}/file: "):
            read_whole(f"{server.address}/file", 99)
        server.faults.clear()


def test_a_shard_without_a_hash_is_not_fetched(copy: Path, serve: Serve, tmp_path: Path) -> None:
    index = orjson.loads((copy / "index.json").read_bytes())
    for entry in index["shards"]:
        entry.pop("sha256")
    (copy / "index.json").write_bytes(orjson.dumps(index))
    assert len(open_dataset(str(copy), "val").rows) == 4
    address = serve(copy).address
    with pytest.raises(DataError, match=f"^{address}/index.json: {SHARD} has no sha256; shards without one are not"):
        open_dataset(address, "val", tmp_path / "cache")


def test_copies_that_cannot_be_kept(built: Path, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    data = open_dataset(serve(built).address, "val", tmp_path / "cache")
    with pytest.raises(DataError, match=f"^{tmp_path}/cache/[0-9a-f]{{64}}.tar: cannot be written: Not a directory$"):
        contents(data)


def test_a_full_disk_is_no_reason_to_ask_again(built: Path, serve: Serve, tmp_path: Path) -> None:
    server = serve(built)
    data = open_dataset(server.address, "val", tmp_path / "cache")
    digest = data.rows[0].shard.sha256
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(DataError, match=f"^{tmp_path}/cache/{digest}.tar: cannot be written: File too large$"):
            contents(data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert server.seen.count(SHARD) == 1


def test_a_process_forked_meanwhile_does_not_keep_the_lock(
    built: Path, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loader processes are forked while a thread of another loader may be fetching."""
    server, fetch = serve(built), download._fetch
    data = open_dataset(server.address, "val", tmp_path / "cache")
    child = multiprocessing.get_context("fork").Process(target=threading.Event().wait, args=(60,))

    def forking(*args: Any) -> Any:
        child.start()
        raise DataError("the first try fails")

    monkeypatch.setattr(download, "_fetch", forking)
    with pytest.raises(DataError, match="the first try fails"):
        contents(data)
    monkeypatch.setattr(download, "_fetch", fetch)
    reader = threading.Thread(target=contents, args=(data,), daemon=True)
    reader.start()
    reader.join(10)
    waits = reader.is_alive()
    child.kill()
    child.join()
    assert not waits


@pytest.mark.parametrize("location", ["pipe:cat x", "s3://bucket/x", "hf://zoo/pets", "file:///x", "FTP://host/x"])
def test_other_schemes_are_refused(location: str, tmp_path: Path) -> None:
    scheme = location.split(":")[0]
    with pytest.raises(DataError) as caught:
        open_store(location, tmp_path)
    assert str(caught.value) == f"{location}: '{scheme}' is not read; give a folder or an http(s) address"


@pytest.mark.parametrize("location", ["http://", "http:/x", "https://a b/x", "http://user:pw@host/x", "http://h/x?t=1"])
def test_odd_addresses_are_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be http"):
        open_store(location, tmp_path)


def test_addresses_and_folders(tmp_path: Path) -> None:
    for location in ("/a/b", "a/b", "../x", "./pipe:x", "a b"):
        assert isinstance(open_store(location, tmp_path), Folder)
    for location in ("http://h", "HTTPS://h:80/a/b/"):
        assert isinstance(open_store(location, tmp_path), Web)


def test_where_copies_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LAYERLOOM_CACHE", raising=False)
    assert shard_cache() == tmp_path / "layerloom" / "shards"
    monkeypatch.setenv("LAYERLOOM_CACHE", str(tmp_path / "mine"))
    assert shard_cache() == tmp_path / "mine" / "shards"
