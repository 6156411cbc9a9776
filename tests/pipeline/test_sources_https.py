"""The https kind, against a server on loopback."""

import gzip
import hashlib
import io
import re
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, fetch, https

PNG = b"\x89PNG not really" * 50


@pytest.fixture
def site():
    """A server whose `pages` map a path to the bytes it answers with; `seen` lists what it was asked for."""
    served = SimpleNamespace(pages={}, seen=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.pages[self.path])))
            self.end_headers()
            self.wfile.write(served.pages[self.path])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def source(*urls, **fields):
    defaults = {"package": "", "sha256": (), "path": "", "include": (), "exclude": (), "max_mb": 1}
    defaults |= {"root": "", "layout": "files"}
    return SimpleNamespace(name="pets", kind="https", urls=urls, **{**defaults, **fields})


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def shelf(cache):
    return sorted(p.name for p in (cache / "https").iterdir())


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.png"])
def test_other_schemes_are_refused(url, tmp_path):
    with refused(f"source 'pets': {url} is not fetched: only http:// and https:// are"):
        fetch(source(url), tmp_path, tmp_path)


def test_loopback_is_refused(site, tmp_path):
    with refused("source 'pets': host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"):
        fetch(source(f"{site.url}/a.png"), tmp_path / "cache", tmp_path)
    assert site.seen == []


def collect(site_source, cache):
    return sorted(https.fetch(site_source, cache, seconds=20, allow_private=True), key=lambda f: f.relative)


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/") + ".png", data)
    return out.getvalue()


def tarred(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue())


def test_images_and_archives(site, tmp_path):
    site.pages.update(
        {
            "/c%20d.PNG?size=9": PNG,
            "/pets.zip": zipped(b=b"B", d__a=b"A"),
            "/more.tar.gz": tarred("z.png", b"Z"),
            "/": b"root",
        }
    )
    urls = [f"{site.url}/c%20d.PNG?size=9", f"{site.url}/pets.zip", f"{site.url}/more.tar.gz", f"{site.url}/"]
    got = collect(source(*urls), tmp_path)
    assert [(f.relative, f.uri, f.path.read_bytes()) for f in got] == [
        ("b.png", f"{urls[1]}#b.png", b"B"),
        ("c d.PNG", urls[0], PNG),
        ("d/a.png", f"{urls[1]}#d/a.png", b"A"),
        ("file", urls[3], b"root"),
        ("z.png", f"{urls[2]}#z.png", b"Z"),
    ]
    assert shelf(tmp_path) == sorted([".lock", *(sha(url.encode())[:16] for url in urls)])


def test_a_cached_url_is_not_asked_for_again(site, tmp_path):
    site.pages["/a.zip"] = zipped(a=b"A")
    asked = source(f"{site.url}/a.zip")
    first = collect(asked, tmp_path)
    site.pages.clear()
    assert collect(asked, tmp_path) == first
    assert [f.relative for f in fetch(asked, tmp_path, tmp_path)] == ["a.png"]  # not even its host is looked up
    assert site.seen == ["/a.zip"]


def test_a_checksum_that_fits_in_either_case(site, tmp_path):
    site.pages["/a.png"] = PNG
    assert collect(source(f"{site.url}/a.png", sha256=(sha(PNG).upper(),)), tmp_path)[0].path.read_bytes() == PNG


def test_a_checksum_that_differs_leaves_nothing(site, tmp_path):
    site.pages["/a.png"] = PNG
    with refused(f"{site.url}/a.png has sha256 {sha(PNG)}, expected {'0' * 64}"):
        collect(source(f"{site.url}/a.png", sha256=("0" * 64,)), tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_checksum_that_the_cache_does_not_meet_fetches_again(site, tmp_path):
    url = f"{site.url}/a.png"
    site.pages["/a.png"] = b"old"
    collect(source(url), tmp_path)
    site.pages["/a.png"] = b"new"
    assert collect(source(url), tmp_path)[0].path.read_bytes() == b"old"
    with refused(f"{url} has sha256 {sha(b'new')}, expected {'0' * 64}"):
        collect(source(url, sha256=("0" * 64,)), tmp_path)
    assert collect(source(url), tmp_path)[0].path.read_bytes() == b"old"
    assert collect(source(url, sha256=(sha(b"new"),)), tmp_path)[0].path.read_bytes() == b"new"
    assert shelf(tmp_path) == sorted([".lock", sha(url.encode())[:16]])


def test_checksums_come_one_per_url(tmp_path):
    with refused("source 'pets': sha256 has 1 entries for 2 urls: give one each, or none"):
        fetch(source("http://h/a.png", "http://h/b.png", sha256=("0" * 64,)), tmp_path, tmp_path)


def test_no_urls(tmp_path):
    with refused("source 'pets': kind 'https' needs urls = [...], and it is empty"):
        fetch(source(), tmp_path, tmp_path)


def test_a_url_that_is_neither_archive_nor_image(tmp_path):
    message = (
        "source 'pets': http://h/a.rar ends in '.rar', which is neither an archive nor an image: "
        ".zip .tar .tar.gz .tgz .tar.xz .tar.bz2 .png .jpg .jpeg .webp .tif .tiff .bmp .gif"
    )
    with refused(message):
        fetch(source("http://h/a.rar"), tmp_path, tmp_path)


def test_the_cap_is_for_the_whole_source(site, tmp_path):
    for name in "ab":
        site.pages[f"/{name}.png"] = bytes(600_000)
    urls = [f"{site.url}/a.png", f"{site.url}/b.png"]
    assert len(collect(source(*urls, max_mb=2), tmp_path / "fits")) == 2
    with refused(f"{urls[1]} has 600,000 bytes, and max_mb leaves it 400,000"):
        collect(source(*urls), tmp_path / "over")


def test_an_archive_that_climbs_out_is_refused(site, tmp_path):
    site.pages["/a.tgz"] = tarred("../../../evil.png", b"evil")
    with refused(f"{site.url}/a.tgz holds '../../../evil.png', which would be written outside its folder"):
        collect(source(f"{site.url}/a.tgz"), tmp_path)
    assert shelf(tmp_path) == [".lock"]
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("path", ["/x/..", "/%2e%2e", "/%2F..%2F", "/a%00.png"])
def test_a_file_name_from_a_url_cannot_leave_its_folder(site, tmp_path, path):
    site.pages[path] = b"x"
    (got,) = collect(source(site.url + path), tmp_path)
    assert got.relative == "file"


def test_a_fetch_that_dies_while_unpacking_leaves_nothing(site, tmp_path, monkeypatch):
    site.pages["/a.zip"] = zipped(a=b"A")

    def die(_raw, _suffix, into, **_):
        (into / "a.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(https, "unpack", die)
        with pytest.raises(KeyboardInterrupt):
            collect(source(f"{site.url}/a.zip"), tmp_path)
    assert shelf(tmp_path) == [".lock"]
    assert collect(source(f"{site.url}/a.zip"), tmp_path)[0].path.read_bytes() == b"A"


def test_no_manifest_field_reaches_allow_private(site, tmp_path):
    site.pages["/a.png"] = PNG
    with refused("source 'pets': host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"):
        fetch(source(f"{site.url}/a.png", allow_private=True), tmp_path, tmp_path)
