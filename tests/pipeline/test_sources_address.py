"""Which URLs and addresses the downloader reaches, and TLS."""

import hashlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress

import pytest

from pipeline.sources import AssetError, web
from pipeline.sources.address import checked_addresses, is_public
from pipeline.sources.web import download, next_url, parse_url


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def get(url, into):
    return download(url, into, max_bytes=1000, seconds=20)


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
def test_other_schemes_are_refused(url):
    with refused(f"{url} is not fetched: only http:// and https:// are"):
        parse_url(url)


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
        assert get(url, tmp_path / "f") == hashlib.sha256(b"hello").hexdigest()
    else:
        with pytest.raises(AssetError, match=rf"^{re.escape(url)} cannot be fetched: .*Hostname mismatch"):
            get(url, tmp_path / "f")
    thread.join()
