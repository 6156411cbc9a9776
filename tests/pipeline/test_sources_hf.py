"""The hf kind, with the real `datasets` on local folders in the Hub's layout."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.source import Rows
from pipeline.sources import AssetError, fetch, hf, hf_rows
from pipeline.sources.hf_columns import _expression

LICENSES = ["CC0-1.0", "4", "All rights reserved!", None, "MIT OR apache-2.0", "CC0-1.0"]
WORDS = {
    "id": ["a/cat one.png", "../dog", "ünï", "", "e.jpg", "f"],
    "text": [["a cat\n on a mat", "second"], [], ["", "c"], None, ["e"], ["f"]],
    "license": LICENSES,
    "author": ["Ann", "Bob", None, "Dan", "Eve", "Fay"],
    "size": [1, 0, 2, 1, 0, 0],
}


@pytest.fixture(scope="module")
def datasets():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

        datasets.disable_progress_bars()
    return datasets


def picture(k, kind="PNG"):
    out = io.BytesIO()
    pixels = np.random.default_rng(k).integers(0, 256, (6, 5 + k, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


KINDS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]
PICTURES = [picture(k, kind) for k, kind in enumerate(KINDS)]


@pytest.fixture(scope="module")
def parquet(datasets, tmp_path_factory):
    """A data set of two configs; the default one has two splits. Six pictures, each of another format."""
    root = tmp_path_factory.mktemp("hub") / "pets"
    (root / "data").mkdir(parents=True)
    (root / "big").mkdir()
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "raw": datasets.Value("binary"),
            "url": datasets.Value("string"),
            "id": datasets.Value("string"),
            "text": datasets.List(datasets.Value("string")),
            "license": datasets.Value("string"),
            "author": datasets.Value("string"),
            "size": datasets.ClassLabel(names=["small", "large", "huge"]),
            "meta": {"title": datasets.Value("string"), "deep.er": datasets.Value("string")},
        }
    )
    rows = {"image": [{"bytes": p, "path": None} for p in PICTURES], "raw": PICTURES, "url": ["http://h/a.png"] * 6}
    rows |= WORDS | {"meta": [{"title": f"t{k}", "deep.er": "d"} if k else None for k in range(6)]}
    whole = datasets.Dataset.from_dict(rows, features=features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole.to_parquet(root / "data" / "train-00000-of-00001.parquet")
        whole.select([5, 0]).to_parquet(root / "data" / "test-00000-of-00001.parquet")
        whole.select([3]).to_parquet(root / "big" / "train-00000-of-00001.parquet")
    files = [("default", "train", "data/train-*"), ("default", "test", "data/test-*"), ("big", "train", "big/*")]
    lines = ["---", "configs:"]
    for config in ("default", "big"):
        lines += [f"- config_name: {config}", *(["  default: true"] if config == "default" else []), "  data_files:"]
        for _, split, path in (f for f in files if f[0] == config):
            lines += [f"  - split: {split}", f"    path: {path}"]
    (root / "README.md").write_text("\n".join([*lines, "---", ""]))
    return root


def source(path, include=(), max_mb=1, **rows):
    fields = {"package": "", "urls": (), "sha256": (), "exclude": (), "root": "", "layout": "files"}
    return SimpleNamespace(
        name="pets", kind="hf", path=str(path), rows=Rows(**rows), max_mb=max_mb, include=include, **fields
    )


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def shelf(cache):
    return sorted(p.name for p in (cache / "hf").iterdir())


@pytest.fixture
def offline(monkeypatch):
    return lambda: monkeypatch.setattr(hf, "read_rows", lambda *_: pytest.fail("cached rows need no data set"))


def test_pictures_come_undecoded_with_the_suffix_of_their_bytes(parquet, tmp_path):
    got = fetch(source("pets"), tmp_path, parquet.parent)
    suffixes = ["png", "jpg", "webp", "gif", "bmp", "tif"]
    assert [f.relative for f in got] == [f"000000{k}.{suffix}" for k, suffix in enumerate(suffixes)]
    assert [f.path.read_bytes() for f in got] == PICTURES
    assert [f.uri for f in got] == [f"hf:pets/train/{k}" for k in range(6)]
    assert {(f.caption, f.license, f.attribution) for f in got} == {("", "", "")}


@pytest.mark.parametrize(("config", "split"), [("", "train"), ("default", "test"), ("big", "train")])
def test_rows_are_those_that_the_library_loads_whole(datasets, parquet, tmp_path, config, split):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = datasets.load_dataset(str(parquet), config or None, split=split, cache_dir=str(tmp_path / "peer"))
    asked = source(parquet, config=config, split=split, caption="author", revision="v1")
    got = fetch(asked, tmp_path, tmp_path)
    assert len(got) == len(whole)
    for k, (file, row) in enumerate(zip(got, whole, strict=True)):
        assert file.caption == (row["author"] or "")
        assert file.uri == "/".join(filter(None, ["hf:pets@v1", config, split, str(k)]))
        with Image.open(file.path) as mine:
            assert np.array_equal(np.asarray(mine.convert("RGB")), np.asarray(row["image"].convert("RGB")))


def test_columns_say_name_caption_licence_and_attribution(parquet, tmp_path, offline):
    words = {"name": "id", "caption": "text", "license": "license", "attribution": "author"}
    asked = source(parquet, licenses={"4": "CC-BY-2.0", "": "CC-BY-4.0"}, limit=5, **words)
    got = fetch(asked, tmp_path, tmp_path)
    assert [(f.relative, f.caption, f.license, f.attribution) for f in got] == [
        ("0000000-cat-one.png", "a cat on a mat", "CC0-1.0", "Ann"),
        ("0000001-dog.jpg", "", "CC-BY-2.0", "Bob"),
        ("0000002-n.webp", "c", "LicenseRef-unlisted-All-rights-reserved", ""),
        ("0000003.gif", "", "CC-BY-4.0", "Dan"),
        ("0000004-e.bmp", "e", "MIT OR apache-2.0", "Eve"),
    ]
    offline()
    assert fetch(asked, tmp_path, tmp_path) == got
    assert len(shelf(tmp_path)) == 2


def test_a_row_that_says_no_licence_has_one_that_nothing_admits(parquet, tmp_path):
    got = fetch(source(parquet, license="license"), tmp_path, tmp_path)
    assert [f.license for f in got[1:4]] == [
        "LicenseRef-unlisted-4",
        "LicenseRef-unlisted-All-rights-reserved",
        "LicenseRef-unlisted-none",
    ]


@pytest.mark.parametrize("text", ["CC BY 4.0", "(c) Ann, 2020", "MIT OR", "LicenseRef-mine", "", "©", "x" * 999])
def test_an_unlisted_licence_is_an_expression_with_the_words_in_it(text):
    from pipeline.licenses import spdx

    made = _expression(text)
    assert re.fullmatch(r"LicenseRef-unlisted-[A-Za-z0-9.-]{1,100}", made)  # the SPDX grammar's idstring
    assert str(spdx().parse(made)) == made
    assert all(word in made for word in re.findall(r"[A-Za-z0-9.]+", text[:50]))


def test_fields_of_a_column_and_names_of_classes(parquet, tmp_path):
    got = fetch(source(parquet, caption="meta.title", name="size", attribution="meta.deep.er"), tmp_path, tmp_path)
    assert [f.caption for f in got] == ["", "t1", "t2", "t3", "t4", "t5"]
    assert [f.attribution for f in got] == ["", "d", "d", "d", "d", "d"]
    assert [f.path.stem[7:] for f in got] == ["-large", "-small", "-huge", "-large", "-small", "-small"]


def test_a_column_of_plain_bytes_will_do(parquet, tmp_path):
    assert [f.path.read_bytes() for f in fetch(source(parquet, image="raw"), tmp_path, tmp_path)] == PICTURES


MISTAKES = [
    ({"image": "imag"}, "the data set has no column 'imag'; did you mean 'image'?"),
    ({"image": "url"}, "column 'url' holds string, not pictures"),
    ({"image": "size"}, "column 'size' holds int64, not pictures"),
    (
        {"image": "meta.title"},
        "the data set has no column 'meta.title'; choose from author, id, image, license, meta, raw, size, text, url",
    ),
    ({"caption": "txet"}, "the data set has no column 'txet'; did you mean 'text'?"),
    ({"caption": "meta.titel"}, "column 'meta' has no field 'titel'; did you mean 'title'?"),
    (
        {"license": "zzz"},
        "the data set has no column 'zzz'; choose from author, id, image, license, meta, raw, size, text, url",
    ),
    ({"split": "tset"}, "Bad split: tset. Available splits: ['train', 'test']"),
    ({"config": "bigg"}, "BuilderConfig 'bigg' not found. Available: ['default', 'big']"),
]


@pytest.mark.parametrize(("rows", "message"), MISTAKES)
def test_mistakes_name_what_is_there(parquet, tmp_path, rows, message):
    with refused(f"source 'pets': {message}"):
        fetch(source(parquet, **rows), tmp_path, tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_table_of_urls_is_no_data_set_of_pictures(tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "train.jsonl").write_text('{"image": "http://h/a.png"}\n')
    with refused("source 'pets': column 'image' holds string, not pictures"):
        fetch(source("links"), tmp_path / "cache", tmp_path)


def image_folder(root, names):
    (root / "train").mkdir(parents=True)
    for k, name in enumerate(names):
        (root / "train" / name).write_bytes(picture(k))
    lines = "".join(f"{name},about {name}\n" for name in names)
    (root / "train" / "metadata.csv").write_text(f"file_name,text\n{lines}")


def test_an_image_folder_with_its_metadata(tmp_path):
    image_folder(tmp_path / "pets", ["b.png", "a.png"])
    got = fetch(source("pets", caption="text"), tmp_path / "cache", tmp_path)
    assert {(f.caption, f.path.read_bytes()) for f in got} == {("about b.png", picture(0)), ("about a.png", picture(1))}


def test_a_change_in_a_folder_is_seen(tmp_path):
    image_folder(tmp_path / "pets", ["a.png"])
    asked = source("pets")
    first = fetch(asked, tmp_path / "cache", tmp_path)
    assert fetch(asked, tmp_path / "cache", tmp_path) == first
    (tmp_path / "pets" / "train" / "a.png").write_bytes(picture(7))
    assert fetch(asked, tmp_path / "cache", tmp_path)[0].path.read_bytes() == picture(7)


def test_pictures_in_a_zip_file(tmp_path):
    (tmp_path / "pets").mkdir()
    with zipfile.ZipFile(tmp_path / "pets" / "train.zip", "w") as out:
        out.writestr("a.png", picture(1))
        out.writestr("d/b.png", picture(2))
    got = fetch(source("pets"), tmp_path / "cache", tmp_path)
    assert {f.path.read_bytes() for f in got} == {picture(1), picture(2)}


def test_a_webdataset(tmp_path):
    (tmp_path / "pets").mkdir()
    members = {}
    for k in range(3):
        members |= {f"p{k}.jpg": PICTURES[1], f"p{k}.txt": b"a pet ", f"p{k}.json": b'{"by": "Ann", "license": "MIT"}'}
    with tarfile.open(tmp_path / "pets" / "train-0.tar", "w") as out:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    columns = {"image": "jpg", "name": "__key__", "caption": "txt", "license": "json.license", "attribution": "json.by"}
    got = fetch(source("pets", limit=2, **columns), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.caption, f.license, f.attribution) for f in got] == [
        (f"000000{k}-p{k}.jpg", "a pet", "MIT", "Ann") for k in range(2)
    ]
    assert got[1].path.read_bytes() == PICTURES[1]


def table_of_paths(datasets, root, paths):
    """Parquet whose image column names files: a row of None has neither path nor bytes."""
    root.mkdir()
    features = datasets.Features({"image": datasets.Image(decode=False)})
    rows = [None if p is None else {"bytes": None, "path": str(p)} for p in paths]
    import pyarrow.parquet

    table = datasets.Dataset.from_dict({"image": rows}, features=features).data.table
    pyarrow.parquet.write_table(table, root / "train.parquet")


def test_a_picture_outside_the_folder_is_not_read(datasets, tmp_path):
    (tmp_path / "secret.png").write_bytes(picture(0))
    outside = [
        tmp_path / "secret.png",
        tmp_path / "pets0" / ".." / "secret.png",
        "http://127.0.0.1:9/a.png",
        f"file://{tmp_path}/secret.png",
        f"zip://a::file://{tmp_path}/secret.png",
        f"file://{tmp_path}/secret.png::{tmp_path}/pets4/train.parquet",
        f"zip://a::zip://b::{tmp_path}/pets5/train.parquet",
    ]
    for k, path in enumerate(outside):
        table_of_paths(datasets, tmp_path / f"pets{k}", [path])
        with refused(f"source 'pets': row 0: {str(path)!r} lies outside the data set: not read"):
            fetch(source(f"pets{k}"), tmp_path / "cache", tmp_path)
    assert shelf(tmp_path / "cache") == [".lock"]


def test_data_files_outside_the_folder_are_not_read(tmp_path):
    image_folder(tmp_path / "other", ["a.png"])
    (tmp_path / "pets").mkdir()
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {tmp_path}/other/train/*.png\n---\n"
    (tmp_path / "pets" / "README.md").write_text(card)
    path = str(tmp_path / "other" / "train" / "a.png")
    with refused(f"source 'pets': {path!r} lies outside the data set: not read"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)


def test_a_row_without_a_picture_is_offered_and_not_lost(datasets, tmp_path):
    table_of_paths(datasets, tmp_path / "pets", [None])
    (got,) = fetch(source("pets", include=("**/*.png",)), tmp_path / "cache", tmp_path)
    assert (got.relative, got.path.read_bytes()) == ("0000000.png", b"")


def test_a_picture_that_is_not_there(datasets, tmp_path):
    gone = tmp_path / "pets" / "gone.png"
    table_of_paths(datasets, tmp_path / "pets", [gone])
    with refused(f"source 'pets': row 0: [Errno 2] No such file or directory: '{gone}'"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)


def test_size_cap(parquet, tmp_path):
    with refused("source 'pets': the pictures up to row 0 exceed max_mb = 0"):
        fetch(source(parquet, max_mb=0), tmp_path, tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_fetch_that_dies_leaves_nothing_and_the_next_one_works(parquet, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*asked):
        yield next(hf_rows.read_rows(*asked))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(hf, "read_rows", die)
        with pytest.raises(Killed):
            fetch(source(parquet), tmp_path, tmp_path)
    assert shelf(tmp_path) == [".lock"]
    stale = tmp_path / "hf" / ".partial-of-a-killed-process"
    stale.mkdir()
    assert len(fetch(source(parquet), tmp_path, tmp_path)) == 6
    assert not stale.exists()


def test_one_row_is_held_at_a_time(parquet, tmp_path, monkeypatch):
    drawn = []

    def watched(*asked):
        for row in hf_rows.read_rows(*asked):
            drawn.append(len(list((tmp_path / "hf").rglob("0*.*"))))
            yield row

    monkeypatch.setattr(hf, "read_rows", watched)
    fetch(source(parquet), tmp_path, tmp_path)
    assert drawn == [0, 1, 2, 3, 4, 5]  # each row was on disk before the next one was asked for


def test_no_library(parquet, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with refused("source 'pets': kind 'hf' needs the library datasets: pip install 'layerloom[hf]'"):
        fetch(source(parquet), tmp_path, tmp_path)


def test_the_hub_out_of_reach(datasets, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_TOKEN", "secret-token")
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: _offline(datasets))
    with refused("source 'pets': Offline, with hf_... and hf_...: zoo/pets"):
        fetch(source("zoo/pets"), tmp_path, tmp_path)


def _offline(datasets):
    assert os.environ["HF_TOKEN"] == "secret-token"
    raise ConnectionError("\n Offline, with secret-token and hf_abcdefghijkl: zoo/pets\nand more")


@pytest.mark.parametrize("path", ["../pets", "a/b/c", "a b", "https://h/x", "-x", "/no/such"])
def test_neither_a_folder_nor_an_id(tmp_path, path):
    looked = (tmp_path / path).resolve()
    message = f"path = {path!r} is neither a folder (looked at {looked}) nor the id of a data set"
    with refused(f"source 'pets': {message}"):
        fetch(source(path), tmp_path / "cache", tmp_path)


def test_a_folder_elsewhere_is_not_taken_for_a_hub_data_set(tmp_path, monkeypatch):
    (tmp_path / "zoo" / "pets").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    message = (
        "path = 'zoo/pets' is no folder beside the manifest, but there is one in the working directory, which would "
        "be read in place of the data set of that id: start somewhere else"
    )
    with refused(f"source 'pets': {message}"):
        fetch(source("zoo/pets"), tmp_path / "cache", tmp_path / "manifests")


def test_settings_of_the_library_are_put_back(datasets, parquet, tmp_path):
    datasets.enable_progress_bars()
    try:
        with hf_rows.quiet():
            assert datasets.are_progress_bars_disabled()
            assert not datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
        assert not datasets.are_progress_bars_disabled()
        assert datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    finally:
        datasets.disable_progress_bars()


def test_rows_in_the_cache_hold_what_the_columns_said(parquet, tmp_path):
    fetch(source(parquet, limit=1, caption="text"), tmp_path, tmp_path)
    (table,) = (tmp_path / "hf").glob("*/rows.jsonl")
    said = {"file": "0000000.png", "uri": "hf:pets/train/0", "caption": "a cat on a mat"}
    assert json.loads(table.read_text()) == said | {"license": "", "attribution": ""}


def from_hub(folder, cache, *asked):
    """What `fetch` answers when the folder is the data set zoo/pets of a Hub on loopback; in a process of its own."""
    command = [sys.executable, "-m", "tests.hub", str(folder), str(cache), *(json.dumps(rows) for rows in asked)]
    environment = os.environ | {"HF_TOKEN": "hf_secretsecretsecret", "no_proxy": "127.0.0.1,localhost"}
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=top, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert "secretsecret" not in done.stdout
    kept = [p for p in (cache / "hf").rglob("*") if p.is_file()]
    assert not [p for p in kept if b"secretsecret" in p.read_bytes()]
    return [json.loads(line) for line in done.stdout.splitlines()]


COMMIT = "a" * 40


def test_from_the_hub_come_the_same_bytes_with_the_commit_in_the_uri(parquet, tmp_path):
    asked = {"caption": "author", "limit": 2}
    others = [{"split": "test", "limit": 1}, {"split": "tset"}, {"id": "zoo/none"}, {"id": "gated/pets"}]
    first, again, other, *errors = from_hub(parquet, tmp_path, asked, asked, *others)
    names = zip(["Ann", "Bob"], ["0000000.png", "0000001.jpg"], PICTURES, strict=False)
    uri = f"hf:zoo/pets@{COMMIT}"
    assert first["came"] == [[f"{uri}/train/{k}", *n[:2], n[2].hex()] for k, n in enumerate(names)]
    assert (again["came"], again["requests"]) == (first["came"], 0)
    assert other["came"][0][::3] == [f"{uri}/test/0", PICTURES[5].hex()]
    assert [e["came"] for e in errors[:2]] == [
        "source 'pets': Bad split: tset. Available splits: ['train', 'test']",
        "source 'pets': Dataset 'zoo/none' doesn't exist on the Hub or cannot be accessed.",
    ]
    assert errors[2]["came"].startswith("source 'pets': Dataset 'gated/pets' is a gated dataset on the Hub.")


def test_an_image_folder_and_a_zip_file_from_the_hub_are_not_decoded(tmp_path):
    image_folder(tmp_path / "pets", ["a.png", "b.png"])
    (one,) = from_hub(tmp_path / "pets", tmp_path / "1", {"caption": "text"})
    assert [row[1::2] for row in one["came"]] == [["about a.png", picture(0).hex()], ["about b.png", picture(1).hex()]]
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "train.zip", "w") as out:
        out.writestr("a.png", picture(2))
    (two,) = from_hub(tmp_path / "zipped", tmp_path / "2", {})
    assert [row[3] for row in two["came"]] == [picture(2).hex()]


def test_a_data_set_of_the_hub_reads_no_file_of_this_machine(datasets, tmp_path):
    (tmp_path / "secret.png").write_bytes(picture(0))
    table_of_paths(datasets, tmp_path / "pets", [tmp_path / "secret.png"])
    (got,) = from_hub(tmp_path / "pets", tmp_path / "cache", {})
    path = str(tmp_path / "secret.png")
    assert got["came"] == f"source 'pets': row 0: {path!r} lies outside the data set: not read"
