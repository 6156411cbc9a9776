"""Qt resource files, against a writer that follows Qt's."""

import re
import struct
import zlib
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, fetch


def source(**fields):
    defaults = {"package": "", "urls": (), "sha256": (), "include": (), "exclude": (), "max_mb": 1}
    defaults |= {"root": ""}
    known = {"name": "pets", "kind": "local", "path": "pets", "layout": "files"}
    return SimpleNamespace(**{**defaults, **known, **fields})


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def resources(tree, version=3, packed=(), flags=0):
    """A resource file of nested dicts of bytes; files named in `packed` are deflated; breadth first, as rcc writes."""
    nodes, contents, names = [], b"", b""
    queue = [("", tree)]
    place = 1
    for name, what in queue:
        offset = len(names)
        names += struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
        if isinstance(what, dict):
            nodes.append(struct.pack(">IHII", offset, 2, len(what), place))
            place += len(what)
            queue += what.items()
        else:
            body = struct.pack(">I", len(what)) + zlib.compress(what) if name in packed else what
            nodes.append(struct.pack(">IHHHI", offset, flags | (name in packed), 0, 0, len(contents)))
            contents += struct.pack(">I", len(body)) + body
    stamp = bytes(8) if version > 1 else b""
    body = b"".join(node + stamp for node in nodes)
    start = 24 if version == 3 else 20
    header = struct.pack(">4s4I", b"qres", version, start, start + len(body), start + len(body) + len(contents))
    return header.ljust(start, b"\0") + body + contents + names


PETS = {"games": {"ünï": {"a.png": b"A", "b.png": b"B" * 5000}, "c.txt": b"C"}, "d.png": b"D"}


@pytest.fixture
def put(tmp_path):
    def write(data, name="pets.rcc"):
        (tmp_path / "pets" / "share").mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / "share" / name).write_bytes(data)

    return write


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_files_inside(tmp_path, put, version):
    put(resources(PETS, version, packed=("b.png",)))
    got = fetch(source(include=("share/pets.rcc/**/*.png",)), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.uri, f.path.read_bytes()) for f in got] == [
        ("share/pets.rcc/d.png", "file:share/pets.rcc/d.png", b"D"),
        ("share/pets.rcc/games/ünï/a.png", "file:share/pets.rcc/games/ünï/a.png", b"A"),
        ("share/pets.rcc/games/ünï/b.png", "file:share/pets.rcc/games/ünï/b.png", b"B" * 5000),
    ]


def test_a_root_may_lie_inside_and_what_was_unpacked_is_used_again(tmp_path, put):
    put(resources(PETS))
    asked = source(root="share/pets.rcc/games", include=("**/*.png",))
    got = fetch(asked, tmp_path / "cache", tmp_path)
    assert [f.relative for f in got] == ["ünï/a.png", "ünï/b.png"]
    got[0].path.write_bytes(b"changed")
    assert fetch(asked, tmp_path / "cache", tmp_path)[0].path.read_bytes() == b"changed"


def test_a_resource_file_that_no_glob_enters_stays_a_file(tmp_path, put):
    put(resources(PETS))
    put(b"not one", "other-pets.rcc")
    entered = ["**/*.rcc", "share/pets.rcc", "share/xpets.rcc/*", "pets.rccx/*"]
    got = fetch(source(include=(*entered,)), tmp_path / "cache", tmp_path)
    assert [f.relative for f in got] == ["share/other-pets.rcc", "share/pets.rcc"]
    assert not (tmp_path / "cache").exists()
    got = fetch(source(include=("share/*.rcc", "share/pets.rcc/d.png")), tmp_path / "cache", tmp_path)
    assert [f.relative for f in got] == ["share/other-pets.rcc", "share/pets.rcc/d.png"]


GOOD = resources(PETS)
DAMAGED = [
    (b"", "it begins with b''"),
    (b"nope" + GOOD[4:], "it begins with b'nope\\x00\\x00\\x00\\x03'"),
    (GOOD[:7] + b"\x09" + GOOD[8:], "it begins with b'qres\\x00\\x00\\x00\\t'"),
    (GOOD[:-1], "it ends too early"),
    (resources(PETS, flags=4), "it is compressed with zstd, which is not read"),
    (GOOD[:34] + bytes(4) + GOOD[38:], "node 0 leads back to node 0"),
]


@pytest.mark.parametrize(("data", "said"), DAMAGED)
def test_damage(tmp_path, put, data, said):
    put(data)
    with refused(f"source 'pets': share/pets.rcc cannot be unpacked: {said}"):
        fetch(source(include=("share/pets.rcc/**",)), tmp_path / "cache", tmp_path)
    assert [p.name for p in (tmp_path / "cache" / "rcc").iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["..", ".", "", "../../evil.png", "/evil.png", "a\0"])
def test_a_name_that_climbs_out(tmp_path, put, name):
    put(resources({"a": {name: b"evil"}}))
    message = f"share/pets.rcc holds {f'a/{name}'!r}, which would be written outside its folder"
    with refused(f"source 'pets': {message}"):
        fetch(source(include=("share/pets.rcc/**",)), tmp_path / "cache", tmp_path)
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("packed", [(), ("a.png",)])
def test_size_cap(tmp_path, put, packed):
    put(resources({"a.png": bytes(1_000_001)}, packed=packed))
    message = "share/pets.rcc unpacks to more than the 1,000,000 bytes that max_mb leaves it"
    with refused(f"source 'pets': {message}"):
        fetch(source(include=("share/pets.rcc/**",)), tmp_path / "cache", tmp_path)
