"""The npm kind: a registry's layout on loopback, and a command in the place of npm."""

import base64
import hashlib
import io
import json
import os
import re
import stat
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from pipeline.sources import AssetError, fetch, npm

VIEW = {
    "package/package.json": b'{"name": "pets", "version": "1.2.0"}',
    "package/a/cat.png": b"C",
    "package/b.png": b"B",
}


def source(package, **fields):
    defaults = {"urls": (), "sha256": (), "path": "", "include": ("**/*.png",), "exclude": (), "max_mb": 1}
    defaults |= {"root": ""}
    return SimpleNamespace(name="pets", kind="npm", layout="files", package=package, **{**defaults, **fields})


def tgz(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def integrity(data):
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


@pytest.fixture
def registry(monkeypatch):
    """A registry on loopback and no npm; `add` a version of a package, `seen` lists what it was asked for."""
    pages, seen = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            body = pages.get(unquote(self.path))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a client that has seen enough hangs up
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"

    def add(name, version, files=VIEW, **dist):
        data = tgz(files)
        path = f"/{name}/-/{name.split('/')[-1]}-{version}.tgz"
        pages[path] = data
        given = {"tarball": url + path, "integrity": f"sha1-AAAA {integrity(data)}", **dist}
        pages[f"/{name}/{version}"] = json.dumps({"name": name, "version": version, "dist": given}).encode()
        pages[f"/{name}/latest"] = pages[f"/{name}/{version}"]
        return data

    monkeypatch.setattr(npm, "REGISTRY", url)
    monkeypatch.setenv("PATH", "/nonexistent")
    yield SimpleNamespace(add=add, pages=pages, seen=seen, url=url)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A function that puts an `npm` of the given shell script first on PATH, and returns where it logs its calls."""

    def put(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "calls"
        tool = folder / "npm"
        tool.write_text(f'#!/bin/sh\necho "$@" >> {log}\n{script}\n')
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return log

    monkeypatch.setattr(npm, "REGISTRY", "http://127.0.0.1:1")  # with npm, nothing else is asked
    return put


def collect(asked, cache):
    return sorted(npm.fetch(asked, cache, allow_private=True), key=lambda f: f.relative)


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def shelf(cache):
    return sorted(p.name for p in (cache / "npm").iterdir())


def test_the_files_of_a_package_come_from_the_registry_without_npm(tmp_path, registry):
    registry.add("pets", "1.2.0")
    got = collect(source("pets@1.2.0"), tmp_path)
    assert [(f.relative, f.uri, f.path.read_bytes()) for f in got] == [
        ("a/cat.png", "npm:pets@1.2.0/a/cat.png", b"C"),
        ("b.png", "npm:pets@1.2.0/b.png", b"B"),
        ("package.json", "npm:pets@1.2.0/package.json", VIEW["package/package.json"]),
    ]
    assert registry.seen == ["/pets/1.2.0", "/pets/-/pets-1.2.0.tgz"]
    assert shelf(tmp_path) == [".lock", "pets@1.2.0"]


def test_a_package_in_the_cache_is_not_asked_for_again(tmp_path, registry):
    registry.add("pets", "1.2.0")
    first = collect(source("pets"), tmp_path)
    registry.pages.clear()
    registry.seen.clear()
    for package in ("pets", "pets@1.2.0"):
        assert collect(source(package), tmp_path) == first
    picked = fetch(source("pets", root="a"), tmp_path, tmp_path)
    assert [f.relative for f in picked] == ["cat.png"]
    assert registry.seen == []


def test_a_scoped_package_whose_folder_has_another_name(tmp_path, registry):
    files = {"pets/package.json": b'{"version": "0.1.0-beta.2+x"}', "pets/a.png": b"A"}
    registry.add("@zoo/pets", "0.1.0-beta.2+x", files)
    registry.add("pets", "3.0.0", VIEW | {"package/package.json": b'{"version": "3.0.0"}'})
    for package in ("@zoo/pets@0.1.0-beta.2+x", "@zoo/pets", "pets"):
        got = collect(source(package), tmp_path)
        expected = "npm:pets@3.0.0/a/cat.png" if package == "pets" else "npm:@zoo/pets@0.1.0-beta.2+x/a.png"
        assert got[0].uri == expected
    assert shelf(tmp_path) == [".lock", "@zoo+pets@0.1.0-beta.2+x", "pets@3.0.0"]
    assert registry.seen[0] == "/@zoo/pets/0.1.0-beta.2+x"


def test_a_pin_chooses_the_version_even_with_another_in_the_cache(tmp_path, registry):
    for version in ("1.0.0", "1.0.1"):
        registry.add("pets", version, {"package/a.png": version.encode()})
    for version in ("1.0.0", "1.0.1"):
        (got,) = collect(source(f"pets@{version}"), tmp_path)
        assert (got.path.read_text(), got.uri) == (version, f"npm:pets@{version}/a.png")
    with refused("the cache holds pets 1.0.0, 1.0.1; choose one: 'pets@1.0.1'"):
        collect(source("pets"), tmp_path)


def test_a_checksum_that_differs_leaves_nothing(tmp_path, registry):
    other = integrity(b"other")
    data = registry.add("pets", "1.2.0", integrity=other)
    url = f"{registry.url}/pets/-/pets-1.2.0.tgz"
    with refused(f"{url} has sha512 {integrity(data)[7:]}, expected {other[7:]}"):
        collect(source("pets"), tmp_path)
    assert shelf(tmp_path) == [".lock"]


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (b"<html>", "is not a JSON object"),
        (b"[]", "is not a JSON object"),
        (b"{}", "states no tarball with a sha512"),
        (b'{"dist": {"tarball": "http://h/a.tgz", "integrity": "sha1-AAAA"}}', "states no tarball with a sha512"),
        (b'{"dist": {"tarball": 3, "integrity": "sha512-AAAA"}}', "states no tarball with a sha512"),
        (b'{"dist": []}', "states no tarball with a sha512"),
    ],
)
def test_metadata_that_are_no_use(tmp_path, registry, page, said):
    registry.pages["/pets/latest"] = page
    with refused(f"package 'pets' cannot be downloaded: {registry.url}/pets/latest {said}"):
        collect(source("pets"), tmp_path)


def test_unknown_package_and_version(tmp_path, registry):
    registry.add("pets", "1.2.0")
    for package, path in (("pets@9.9.9", "pets/9.9.9"), ("@zoo/none", "@zoo/none/latest")):
        message = f"package {package!r} cannot be downloaded: {registry.url}/{path} answered 404 Not Found"
        with refused(message):
            collect(source(package), tmp_path)


def test_the_registry_is_reached_at_public_addresses_only(tmp_path, registry):
    registry.add("pets", "1.2.0")
    message = "host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"
    with refused(f"source 'pets': package 'pets' cannot be downloaded: {message}"):
        fetch(source("pets"), tmp_path, tmp_path)
    assert registry.seen == []


BAD = ["", "-g", "a b", "a@", "a@latest", "a@^1.0.0", "a@1.0", "a@1.0.0/../b", "../a", "@zoo", "@zoo/", "@/a", "a/b/c"]


@pytest.mark.parametrize("package", [*BAD, "@zoo/a/b", "git+https://h/x", "file:x.tgz", ".a", "a@1.0.0\n", "é@1.0.0"])
def test_malformed_package(tmp_path, package):
    with refused(f"source 'pets': package = {package!r} is neither 'name' nor 'name@1.2.3'"):
        fetch(source(package), tmp_path, tmp_path)
    assert not (tmp_path / "npm").exists()


def test_size_caps_of_the_tarball_and_of_its_files(tmp_path, registry):
    registry.add("pets", "1.0.0", {"package/a.png": bytes(1_000_001)})
    with refused("package.tgz unpacks to more than the 1,000,000 bytes that max_mb leaves it"):
        collect(source("pets"), tmp_path)
    size = len(registry.add("pets", "1.0.0", {"package/a.png": os.urandom(1_000_001)}))
    url = f"{registry.url}/pets/-/pets-1.0.0.tgz"
    with refused(f"package 'pets' cannot be downloaded: {url} has {size:,} bytes, and max_mb leaves it 1,000,000"):
        collect(source("pets"), tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_tarball_that_climbs_out_is_refused(tmp_path, registry):
    registry.add("pets", "1.0.0", {"package/../../../../evil.png": b"evil"})
    with refused("package.tgz holds 'package/../../../../evil.png', which would be written outside its folder"):
        collect(source("pets"), tmp_path)
    assert shelf(tmp_path) == [".lock"]
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"package/package.json": b"{}", "other/a.png": b"A"}, "it holds ['other', 'package'], not one folder"),
        ({"a.png": b"A"}, "it holds ['a.png'], not one folder"),
        ({}, "it holds [], not one folder"),
    ],
)
def test_a_tarball_that_is_no_package(tmp_path, registry, files, said):
    registry.add("pets", "1.0.0", files)
    with refused(f"package.tgz is no npm package: {said}"):
        collect(source("pets@1.0.0"), tmp_path)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({}, "package.tgz: package.json is missing"),
        ({"package/package.json": b"\xff"}, "package.tgz: package.json is not a JSON object"),
        ({"package/package.json": b"[" * 100_000}, "package.tgz: package.json is not a JSON object"),
        ({"package/package.json": b"{}"}, "package.tgz: package.json states version 'None', which is none"),
        (
            {"package/package.json": b'{"version": "../../x"}'},
            "package.tgz: package.json states version '../../x', which is none",
        ),
    ],
)
def test_a_package_that_does_not_say_its_version(tmp_path, registry, stated, said):
    registry.add("pets", "1.0.0", {"package/a.png": b"A", **stated})
    with refused(said):
        collect(source("pets"), tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_fetch_that_dies_while_unpacking_leaves_nothing(tmp_path, registry, monkeypatch):
    registry.add("pets", "1.2.0")

    def die(_tarball, _suffix, into, **_):
        (into / "package").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(npm, "unpack", die)
        with pytest.raises(KeyboardInterrupt):
            collect(source("pets"), tmp_path)
    assert shelf(tmp_path) == [".lock"]
    assert len(collect(source("pets"), tmp_path)) == 3


def test_the_command_downloads_where_there_is_one(tmp_path, command):
    tarball = tmp_path / "served.tgz"
    tarball.write_bytes(tgz(VIEW | {"package/install.js": b"boom"}))
    log = command(f"cp {tarball} ./pets-1.2.0.tgz")
    got = fetch(source("@zoo/pets"), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.uri) for f in got] == [
        ("a/cat.png", "npm:@zoo/pets@1.2.0/a/cat.png"),
        ("b.png", "npm:@zoo/pets@1.2.0/b.png"),
    ]
    assert log.read_text() == "pack --ignore-scripts --loglevel=error @zoo/pets\n"
    assert fetch(source("@zoo/pets@1.2.0"), tmp_path / "cache", tmp_path) == got
    assert log.read_text().count("\n") == 1


# What npm 11 and npm 6 print.
COMPLAINTS = [
    (
        "npm error code ETARGET\nnpm error notarget No matching version found for pets@9.9.9.\nnpm error notarget In",
        "notarget No matching version found for pets@9.9.9.",
    ),
    (
        "npm ERR! code E404\nnpm ERR! 404 Not Found - GET http://h/pets\nnpm ERR! 404",
        "404 Not Found - GET http://h/pets",
    ),
    ("", "no message"),
]


@pytest.mark.parametrize(("stderr", "said"), COMPLAINTS)
def test_a_command_that_fails_is_quoted(tmp_path, command, stderr, said):
    (tmp_path / "stderr").write_text(stderr)
    command(f"cat {tmp_path}/stderr >&2; exit 1")
    with refused(f"source 'pets': npm cannot download 'pets@9.9.9': {said}"):
        fetch(source("pets@9.9.9"), tmp_path / "cache", tmp_path)
    assert shelf(tmp_path / "cache") == [".lock"]


def test_a_command_that_leaves_no_tarball(tmp_path, command):
    command("exit 0")
    with refused("source 'pets': npm cannot download 'pets': no message"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)


def test_the_size_cap_holds_for_the_command_too(tmp_path, command):
    command("head -c 1000001 /dev/zero > pets-1.0.0.tgz")
    with refused("source 'pets': pets-1.0.0.tgz has 1,000,001 bytes, over max_mb = 1"):
        fetch(source("pets"), tmp_path / "cache", tmp_path)
