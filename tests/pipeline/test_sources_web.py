"""The https kind and its downloader, against servers on loopback."""

import gzip
import hashlib
import io
import re
import shutil
import socket
import ssl
import subprocess
import tarfile
import threading
import time
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, address, fetch, https, web
from pipeline.sources.address import checked_addresses, is_public
from pipeline.sources.web import download, next_url, parse_url

PNG = b"\x89PNG not really" * 50


@pytest.fixture
def site():
    """A server whose `pages` map a path to (status, headers, body) or to a function of the handler."""
    served = SimpleNamespace(pages={}, seen=[], headers=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.seen.append(self.path)
            served.headers.append(dict(self.headers))
            page = served.pages.get(self.path, (404, {}, b""))
            if callable(page):
                page(self)
                return
            status, headers, body = page
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def ok(body, **headers):
    return (200, headers, body)


def source(*urls, **fields):
    defaults = {"package": "", "sha256": (), "path": "", "include": (), "exclude": (), "max_mb": 1}
    return SimpleNamespace(name="pets", kind="https", urls=urls, **{**defaults, **fields})


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def get(url, into, **options):
    return download(url, into, **{"max_bytes": 100_000, "allow_private": True, "seconds": 20.0, **options})


def sha(data):
    return hashlib.sha256(data).hexdigest()


def shelf(cache):
    return sorted(p.name for p in (cache / "https").iterdir())


# Addresses: expected values from the IANA special-purpose registries and the RFC that reserves each.
PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
NOT_PUBLIC = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a00:1::1"),
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip):
    assert is_public(ip)


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_addresses_that_are_not_public(ip):
    assert not is_public(ip)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "::1", "169.254.169.254"])
def test_private_hosts_are_refused_however_they_are_written(host):
    with pytest.raises(AssetError, match=r"^host '.*' is [0-9a-f.:]+, which is not a public address: not fetched$"):
        checked_addresses(host, 80)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    answers = [(socket.AF_INET, 1, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with refused("host 'mixed.test' is 10.0.0.1, which is not a public address: not fetched"):
        checked_addresses("mixed.test", 80)
    assert checked_addresses("mixed.test", 80, allow_private=True) == ["8.8.8.8", "10.0.0.1"]


def test_a_host_that_does_not_exist(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with refused("host 'nowhere.test' cannot be resolved: [Errno -2] Name or service not known"):
        checked_addresses("nowhere.test", 80)


def test_a_host_name_that_cannot_be_encoded():
    with pytest.raises(AssetError, match=r"^host 'a\.\.b' cannot be resolved: .*label"):
        checked_addresses("a..b", 80)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org/a.png", "//example.org/a.png", "data:,a", "a"]
)
def test_other_schemes_are_refused(url, tmp_path):
    message = f"{url} is not fetched: only http:// and https:// are"
    with refused(message):
        parse_url(url)
    with refused(f"source 'pets': {message}"):
        fetch(source(url), tmp_path, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://", "http:///a.png", "http://h:99999/", "http://h:x/", "http://[::1/", "http://h:0/"]
)
def test_malformed_urls_are_refused(url):
    with refused(f"{url} is not a URL: its host or port is missing or malformed"):
        parse_url(url)


def test_credentials_are_refused_and_not_repeated():
    with refused("https://...@example.org is not fetched: a manifest must not hold credentials"):
        parse_url("https://me:secret@example.org/a.png")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("b.png", "https://h/x/b.png"),
        ("/b", "https://h/b"),
        ("//o/b", "https://o/b"),
        ("https://o:8/b?q#f", "https://o:8/b?q#f"),
    ],
)
def test_where_a_redirect_leads(location, expected):
    assert next_url(parse_url("https://h/x/a.png"), location) == expected


def test_redirects_that_are_refused():
    with refused("https://h/a.png redirects from https to http://h/a.png"):
        next_url(parse_url("https://h/a.png"), "http://h/a.png")
    with refused("http://h/a.png redirects without saying where"):
        next_url(parse_url("http://h/a.png"), "")


def test_download_streams_the_body_and_returns_its_sha256(site, tmp_path):
    body = bytes(range(256)) * 300
    site.pages["/a%20b.png?x=1"] = ok(body)
    assert get(f"{site.url}/a b.png?x=1", tmp_path / "f") == sha(body)
    assert (tmp_path / "f").read_bytes() == body
    assert site.headers[0]["Host"] == site.url.removeprefix("http://")
    assert site.headers[0]["Accept-Encoding"] == "identity"


def test_a_url_with_a_fragment_and_letters_outside_ascii(site, tmp_path):
    site.pages["/caf%C3%A9.png"] = ok(b"x")
    assert get(f"{site.url}/café.png#part", tmp_path / "f") == sha(b"x")


def test_loopback_is_refused_by_default(site, tmp_path):
    with refused("host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"):
        get(f"{site.url}/a.png", tmp_path / "f", allow_private=False)
    with refused("source 'pets': host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"):
        fetch(source(f"{site.url}/a.png"), tmp_path / "cache", tmp_path)
    assert site.seen == []


@pytest.fixture
def loopback_counts_as_public(monkeypatch):
    monkeypatch.setattr(address, "is_public", lambda ip: ip == "127.0.0.1" or is_public(ip))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(site, tmp_path, status, loopback_counts_as_public):
    site.pages["/a"] = (status, {"Location": "/b"}, b"not this")
    site.pages["/b"] = ok(b"this")
    assert get(f"{site.url}/a", tmp_path / "f", allow_private=False) == sha(b"this")
    assert site.seen == ["/a", "/b"]


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_redirect_to_a_private_address_is_refused(site, tmp_path, host, loopback_counts_as_public):
    site.pages["/a"] = (302, {"Location": f"http://{host}/latest"}, b"")
    bare = host.strip("[]")
    with pytest.raises(
        AssetError, match=f"^host '{re.escape(bare)}' is .+, which is not a public address: not fetched$"
    ):
        get(f"{site.url}/a", tmp_path / "f", allow_private=False)


def test_a_redirect_to_a_file_is_refused(site, tmp_path):
    site.pages["/a"] = (302, {"Location": "file:///etc/passwd"}, b"")
    with refused("file:///etc/passwd is not fetched: only http:// and https:// are"):
        get(f"{site.url}/a", tmp_path / "f")


def test_five_redirects_are_followed_and_no_more(site, tmp_path):
    for i in range(7):
        site.pages[f"/{i}"] = (302, {"Location": f"/{i + 1}"}, b"")
    site.pages["/7"] = ok(b"end")
    assert get(f"{site.url}/2", tmp_path / "f") == sha(b"end")
    with refused(f"{site.url}/1 redirects more than 5 times"):
        get(f"{site.url}/1", tmp_path / "f")


def test_the_connection_goes_to_the_checked_address_whatever_the_name_says_later(site, tmp_path, monkeypatch):
    port = int(site.url.rsplit(":", 1)[1])
    asked = []

    def rebinding(host, *_, **__):
        asked.append(host)
        ip = "127.0.0.1" if len(asked) == 1 else "203.0.113.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    real = socket.create_connection
    connected = []

    def connect(target, *rest):
        connected.append(target)
        monkeypatch.setattr(socket, "getaddrinfo", resolver)  # create_connection resolves the literal address
        return real(target, *rest)

    resolver = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    site.pages["/a"] = ok(b"x")
    assert get(f"http://rebind.test:{port}/a", tmp_path / "f") == sha(b"x")
    assert (asked, connected) == (["rebind.test"], [("127.0.0.1", port)])
    assert site.headers[0]["Host"] == f"rebind.test:{port}"


def test_the_next_address_is_tried_where_one_does_not_answer(site, tmp_path, monkeypatch):
    port = int(site.url.rsplit(":", 1)[1])
    monkeypatch.setattr(web, "checked_addresses", lambda *_, **__: ["127.0.0.99", "127.0.0.1"])
    site.pages["/a"] = ok(b"x")
    assert get(f"http://two.test:{port}/a", tmp_path / "f") == sha(b"x")


def test_tls_names_the_host_and_checks_its_certificate(tmp_path, monkeypatch):
    """The context is the default one (certificate and name are checked) and the server name is the URL's."""
    seen = {}

    def wrap(self, sock, **options):
        seen.update(options, verify=self.verify_mode, check=self.check_hostname)
        sock.close()
        raise ssl.SSLCertVerificationError("self-signed certificate")

    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    monkeypatch.setattr(web, "checked_addresses", lambda *_, **__: ["127.0.0.1"])
    url = f"https://secure.test:{listener.getsockname()[1]}/a.png"
    with listener, pytest.raises(AssetError, match=rf"^{re.escape(url)} cannot be fetched: .*self-signed certificate"):
        get(url, tmp_path / "f")
    assert (seen["server_hostname"], seen["verify"], seen["check"]) == ("secure.test", ssl.CERT_REQUIRED, True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a self-signed certificate for secure.test."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=secure.test", "-addext", "subjectAltName=DNS:secure.test", "-days", "36500"]
    subprocess.run([*made, *named, "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("host", ["secure.test", "other.test"])
def test_tls_for_real(tmp_path, monkeypatch, certificate, host):
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate / "crt", certificate / "key")
    trusting = ssl.create_default_context(cafile=certificate / "crt")
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    monkeypatch.setattr(web, "checked_addresses", lambda *_, **__: ["127.0.0.1"])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one():
        with listener, suppress(OSError), served.wrap_socket(listener.accept()[0], server_side=True) as client:
            client.recv(10_000)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    thread = threading.Thread(target=serve_one)
    thread.start()
    url = f"https://{host}:{listener.getsockname()[1]}/a.png"
    if host == "secure.test":
        assert get(url, tmp_path / "f") == sha(b"hello")
    else:
        with pytest.raises(AssetError, match=rf"^{re.escape(url)} cannot be fetched: .*Hostname mismatch"):
            get(url, tmp_path / "f")
    thread.join()


@pytest.mark.parametrize(
    ("status", "text"), [(404, "404 Not Found"), (500, "500 Internal Server Error"), (204, "204 No Content")]
)
def test_any_other_answer_is_an_error(site, tmp_path, status, text):
    site.pages["/a.png"] = (status, {}, b"")
    with refused(f"{site.url}/a.png answered {text}"):
        get(f"{site.url}/a.png", tmp_path / "f")


def test_an_announced_size_over_the_cap_is_not_read(site, tmp_path):
    site.pages["/a.png"] = ok(b"x" * 2001)
    with refused(f"{site.url}/a.png has 2,001 bytes, and max_mb leaves it 2,000"):
        get(f"{site.url}/a.png", tmp_path / "f", max_bytes=2000)
    assert not (tmp_path / "f").exists()
    site.pages["/a.png"] = ok(b"x" * 2000)
    assert get(f"{site.url}/a.png", tmp_path / "f", max_bytes=2000) == sha(b"x" * 2000)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(10_000))
    except OSError:
        handler.close_connection = True


def test_a_body_without_a_size_stops_at_the_cap(site, tmp_path):
    site.pages["/a.png"] = endless
    with refused(f"{site.url}/a.png has more than the 100,000 bytes that max_mb leaves it"):
        get(f"{site.url}/a.png", tmp_path / "f")
    assert (tmp_path / "f").stat().st_size <= 100_000


def test_a_body_that_ends_early_is_an_error(site, tmp_path):
    site.pages["/a.png"] = ok(b"half", **{"Content-Length": "8"})
    with refused(f"{site.url}/a.png cannot be fetched: it ended after 4 of 8 bytes"):
        get(f"{site.url}/a.png", tmp_path / "f")


def test_nobody_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with refused(f"http://127.0.0.1:{port}/a.png cannot be fetched: [Errno 111] Connection refused"):
        get(f"http://127.0.0.1:{port}/a.png", tmp_path / "f")


def test_a_server_that_does_not_speak_http(site, tmp_path):
    site.pages["/a.png"] = lambda handler: handler.wfile.write(b"SSH-2.0 hello\r\n\r\n")
    with pytest.raises(AssetError, match=rf"^{re.escape(site.url)}/a\.png cannot be fetched: SSH-2\.0 hello"):
        get(f"{site.url}/a.png", tmp_path / "f")


def drip(prefix):
    def page(handler):
        try:
            handler.wfile.write(prefix)
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.02)
        except OSError:
            handler.close_connection = True

    return page


@pytest.mark.parametrize(
    "prefix",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["headers", "body", "body without a size"],
)
def test_a_server_that_drips_is_cut_off(site, tmp_path, prefix):
    site.pages["/a.png"] = drip(prefix)
    with refused(f"{site.url}/a.png took longer than 0.3 s"):
        get(f"{site.url}/a.png", tmp_path / "f", seconds=0.3)


def test_a_server_that_says_nothing_is_cut_off(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        with refused(f"{url} took longer than 0.2 s"):
            get(url, tmp_path / "f", seconds=0.2)


def test_no_watchdog_outlives_its_download(site, tmp_path):
    site.pages["/a"] = ok(b"x")
    get(f"{site.url}/a", tmp_path / "f")
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and not t.finished.is_set()]


# The kind itself.


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
            "/c%20d.PNG?size=9": ok(PNG),
            "/pets.zip": ok(zipped(b=b"B", d__a=b"A")),
            "/more.tar.gz": ok(tarred("z.png", b"Z")),
            "/": ok(b"root"),
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
    site.pages["/a.zip"] = ok(zipped(a=b"A"))
    asked = source(f"{site.url}/a.zip")
    first = collect(asked, tmp_path)
    site.pages.clear()
    assert collect(asked, tmp_path) == first
    assert [f.relative for f in fetch(asked, tmp_path, tmp_path)] == ["a.png"]  # not even its host is looked up
    assert site.seen == ["/a.zip"]


def test_a_checksum_that_fits_in_either_case(site, tmp_path):
    site.pages["/a.png"] = ok(PNG)
    assert collect(source(f"{site.url}/a.png", sha256=(sha(PNG).upper(),)), tmp_path)[0].path.read_bytes() == PNG


def test_a_checksum_that_differs_leaves_nothing(site, tmp_path):
    site.pages["/a.png"] = ok(PNG)
    with refused(f"{site.url}/a.png has sha256 {sha(PNG)}, expected {'0' * 64}"):
        collect(source(f"{site.url}/a.png", sha256=("0" * 64,)), tmp_path)
    assert shelf(tmp_path) == [".lock"]


def test_a_checksum_that_the_cache_does_not_meet_fetches_again(site, tmp_path):
    url = f"{site.url}/a.png"
    site.pages["/a.png"] = ok(b"old")
    collect(source(url), tmp_path)
    site.pages["/a.png"] = ok(b"new")
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
        site.pages[f"/{name}.png"] = ok(bytes(600_000))
    urls = [f"{site.url}/a.png", f"{site.url}/b.png"]
    assert len(collect(source(*urls, max_mb=2), tmp_path / "fits")) == 2
    with refused(f"{urls[1]} has 600,000 bytes, and max_mb leaves it 400,000"):
        collect(source(*urls), tmp_path / "over")


def test_an_archive_that_climbs_out_is_refused(site, tmp_path):
    site.pages["/a.tgz"] = ok(tarred("../../../evil.png", b"evil"))
    with refused(f"{site.url}/a.tgz holds '../../../evil.png', which would be written outside its folder"):
        collect(source(f"{site.url}/a.tgz"), tmp_path)
    assert shelf(tmp_path) == [".lock"]
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("path", ["/x/..", "/%2e%2e", "/%2F..%2F", "/a%00.png"])
def test_a_file_name_from_a_url_cannot_leave_its_folder(site, tmp_path, path):
    site.pages[path] = ok(b"x")
    (got,) = collect(source(site.url + path), tmp_path)
    assert got.relative == "file"


def test_a_fetch_that_dies_while_unpacking_leaves_nothing(site, tmp_path, monkeypatch):
    site.pages["/a.zip"] = ok(zipped(a=b"A"))

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
    site.pages["/a.png"] = ok(PNG)
    with refused("source 'pets': host '127.0.0.1' is 127.0.0.1, which is not a public address: not fetched"):
        fetch(source(f"{site.url}/a.png", allow_private=True), tmp_path, tmp_path)
