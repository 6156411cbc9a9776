"""The downloader, against servers on loopback."""

import hashlib
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, address, web
from pipeline.sources.address import is_public
from pipeline.sources.web import download

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


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def get(url, into, **options):
    return download(url, into, **{"max_bytes": 100_000, "allow_private": True, "seconds": 20.0, **options})


def sha(data):
    return hashlib.sha256(data).hexdigest()


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
