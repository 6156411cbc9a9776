"""The pypi kind, with the real pip and a folder of wheels in place of an index."""

import importlib.util
import re
import zipfile
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, fetch, pypi

TAG = "py3-none-any"


def source(package, **fields):
    defaults = {"urls": (), "sha256": (), "path": "", "include": ("**/*.png",), "exclude": (), "max_mb": 1}
    defaults |= {"root": "", "layout": "files"}
    return SimpleNamespace(name="pets", kind="pypi", package=package, **{**defaults, **fields})


def add_wheel(folder, name, version, files):
    info = f"{name}-{version}.dist-info"
    meta = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: not-there\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {TAG}\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-{TAG}.whl", "w", zipfile.ZIP_DEFLATED) as out:
        for inside, data in {**files, **meta}.items():
            out.writestr(inside, data)


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def offline(monkeypatch):
    def switch():
        monkeypatch.setattr(pypi, "run_tool", lambda *_: pytest.fail("a cached wheel needs no pip"))

    return switch


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def names(cache):
    return sorted(p.name for p in (cache / "pypi").iterdir())


def test_the_files_of_a_wheel(tmp_path, index, offline):
    add_wheel(index, "pet_pictures", "1.2.0", {"pets/b.png": b"B", "pets/a.png": b"A", "pets/__init__.py": ""})
    got = fetch(source("Pet.Pictures==1.2"), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.uri, f.path.read_bytes()) for f in got] == [
        ("pets/a.png", "pypi:Pet.Pictures@1.2.0/pets/a.png", b"A"),
        ("pets/b.png", "pypi:Pet.Pictures@1.2.0/pets/b.png", b"B"),
    ]
    assert names(tmp_path / "cache") == [".lock", f"pet_pictures-1.2.0-{TAG}"]
    offline()
    for package in ("Pet.Pictures==1.2", "pet-pictures==1.2.0", "pet_pictures"):
        assert [f.path for f in fetch(source(package), tmp_path / "cache", tmp_path)] == [f.path for f in got]


def test_a_pin_chooses_the_version_even_with_another_in_the_cache(tmp_path, index, offline):
    for version in ("1.0", "10.0"):
        add_wheel(index, "pets", version, {"a.png": version})
    for version in ("1.0", "10.0"):
        (got,) = fetch(source(f"pets=={version}"), tmp_path / "cache", tmp_path)
        assert (got.path.read_text(), got.uri) == (version, f"pypi:pets@{version}/a.png")
    offline()
    with refused("source 'pets': the cache holds pets 1.0, 10.0; choose one: 'pets==10.0'"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)


def test_unknown_package_quotes_pip(tmp_path, index):
    message = "source 'pets': pip cannot download 'nothing==3': ERROR: No matching distribution found for nothing==3"
    with refused(message):
        fetch(source("nothing==3"), tmp_path / "cache", tmp_path)
    assert names(tmp_path / "cache") == [".lock"]


@pytest.mark.parametrize("package", ["", "--index-url=x", "a b", "a>=1", "a==", "a==1; x", "git+https://x/y", "a[b]"])
def test_malformed_package(tmp_path, package):
    with refused(f"source 'pets': package = {package!r} is neither 'name' nor 'name==version'"):
        fetch(source(package), tmp_path, tmp_path)


def test_no_pip(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(pypi.sys, "executable", "/venv/bin/python")
    message = "source 'pets': kind 'pypi' needs pip, which /venv/bin/python does not have: python -m ensurepip"
    with refused(message):
        fetch(source("pets"), tmp_path, tmp_path)


def test_size_caps_of_the_wheel_and_of_its_files(tmp_path, index):
    add_wheel(index, "pets", "1.0", {"a.png": bytes(1_000_001)})
    with refused(f"source 'pets': pets-1.0-{TAG}.whl unpacks to more than the 1,000,000 bytes that max_mb leaves it"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)
    size = (index / f"pets-1.0-{TAG}.whl").stat().st_size
    with refused(f"source 'pets': pets-1.0-{TAG}.whl has {size:,} bytes, over max_mb = 0"):
        fetch(source("pets", max_mb=0), tmp_path / "cache", tmp_path)
    assert names(tmp_path / "cache") == [".lock"]


def test_a_wheel_that_climbs_out_is_refused(tmp_path, index):
    add_wheel(index, "pets", "1.0", {"../../../evil.png": b"evil"})
    with refused(
        f"source 'pets': pets-1.0-{TAG}.whl holds '../../../evil.png', which would be written outside its folder"
    ):
        fetch(source("pets"), tmp_path / "cache", tmp_path)
    assert names(tmp_path / "cache") == [".lock"]
    assert not list(tmp_path.rglob("evil.png"))


def test_a_fetch_that_dies_while_unpacking_leaves_nothing(tmp_path, index, monkeypatch):
    add_wheel(index, "pets", "1.0", {"a.png": b"A"})

    def die(_wheel, _suffix, into, **_):
        into.mkdir()
        (into / "a.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pypi, "unpack", die)
        with pytest.raises(KeyboardInterrupt):
            fetch(source("pets"), tmp_path / "cache", tmp_path)
    assert names(tmp_path / "cache") == [".lock"]
    (got,) = fetch(source("pets"), tmp_path / "cache", tmp_path)
    assert got.path.read_bytes() == b"A"
