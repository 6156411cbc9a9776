"""The apt kind, with stand-ins for apt-get and dpkg-deb; a package is a tar whose name states its version."""

import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.sources import AssetError, apt, fetch

# Stand-in for apt-get: knows the packages of $POOL once `update` has run; logs what it is asked.
APT_GET = """#!/bin/sh
echo "$*" >> "$POOL/log"
for option; do case "$option" in Dir::State::lists=*) lists="${option#*=}" ;; esac; last="$option"; done
test -w "$lists/partial" || exit 3
case " $* " in
  *" update "*) test -z "$BROKEN_UPDATE" || echo "W: $BROKEN_UPDATE" >&2; touch "$lists/known"; exit 0 ;;
esac
name="${last%%=*}"; case "$last" in *=*) version="$(echo "${last#*=}" | sed s/:/%3a/)" ;; *) version="" ;; esac
deb="$(ls "$POOL" | grep "^${name}_${version}.*deb$" | tail -n 1)"
if [ ! -e "$lists/known" ] || [ -z "$deb" ]; then
  echo "Reading package lists..." >&2; echo "E: Unable to locate package $name" >&2; echo " (hint)" >&2; exit 100
fi
case " $* " in
  *" --print-uris "*) echo "'http://pool/$deb' $deb $(stat -c %s "$POOL/$deb") SHA256:0" ;;
  *) if [ -e "$POOL/stale" ]; then rm "$POOL/stale"; echo "E: Failed to fetch 404" >&2; exit 100; fi
     test -n "$NOTHING" || cp "$POOL/$deb" . ;;
esac
"""
# Stand-in for dpkg-deb: -x unpacks, -W states package and version (a file name has %3a for the colon).
DPKG_DEB = """#!/bin/sh
echo "dpkg-deb $1" >> "$POOL/log"
case "$1" in
  -x) mkdir "$3"; tar -xf "$2" -C "$3" ;;
  -W) test -z "$MISLABELLED" || { echo "other 1"; exit 0; }
      for deb; do :; done; base="$(basename "$deb" .deb)"; rest="${base#*_}"
      echo "${base%%_*} $(echo "${rest%_*}" | sed s/%3a/:/)" ;;
esac
"""


def source(package="pets", **fields):
    defaults = {"urls": (), "sha256": (), "path": "", "include": ("**/*.png",), "exclude": (), "max_mb": 1}
    defaults |= {"root": "", "layout": "files"}
    return SimpleNamespace(name="wall", kind="apt", package=package, **{**defaults, **fields})


def add_package(pool, stem, files, links=()):
    with tarfile.open(pool / f"{stem}_all.deb", "w") as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            out.addfile(info)


@pytest.fixture
def pool(tmp_path, monkeypatch):
    folder = tmp_path / "pool"
    folder.mkdir()
    install(tmp_path / "bin", {"apt-get": APT_GET, "dpkg-deb": DPKG_DEB})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("POOL", str(folder))
    add_package(folder, "pets_1%3a2.0-1", {"usr/share/pets/b.png": b"B", "usr/share/pets/a.png": b"A", "x.txt": b""})
    return folder


def install(folder, scripts):
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)


def calls(pool):
    lines = (pool / "log").read_text().splitlines() if (pool / "log").exists() else []
    words = ("update", "--print-uris", "download", "-x", "-W")
    return [next(word for word in words if f" {word}" in line) for line in lines]


def packages(cache):
    return sorted(p.name for p in (cache / "apt").iterdir() if "_" in p.name or p.name.startswith(".partial"))


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


def test_the_files_of_a_package(tmp_path, pool):
    got = fetch(source(), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.uri, f.path.read_bytes()) for f in got] == [
        ("usr/share/pets/a.png", "deb:pets@1:2.0-1/usr/share/pets/a.png", b"A"),
        ("usr/share/pets/b.png", "deb:pets@1:2.0-1/usr/share/pets/b.png", b"B"),
    ]
    assert packages(tmp_path / "cache") == ["pets_1%3a2.0-1"]
    assert calls(pool) == ["--print-uris", "update", "--print-uris", "download", "-W", "-x"]


def test_a_cached_package_runs_nothing(tmp_path, pool):
    first = fetch(source(), tmp_path / "cache", tmp_path)
    before = calls(pool)
    assert fetch(source(), tmp_path / "cache", tmp_path) == first
    assert fetch(source("pets=1:2.0-1"), tmp_path / "cache", tmp_path) == first
    assert calls(pool) == before


def test_a_cached_package_needs_no_apt(tmp_path, pool, monkeypatch):
    first = fetch(source(), tmp_path / "cache", tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert fetch(source(), tmp_path / "cache", tmp_path) == first


def test_known_lists_are_not_fetched_again(tmp_path, pool):
    fetch(source(), tmp_path / "cache", tmp_path)
    add_package(pool, "cats_1", {"c.png": b"C"})
    fetch(source("cats"), tmp_path / "cache", tmp_path)
    assert calls(pool)[6:] == ["--print-uris", "download", "-W", "-x"]


def test_stale_lists_are_updated_once(tmp_path, pool):
    fetch(source(), tmp_path / "cache", tmp_path)
    add_package(pool, "cats_1", {"c.png": b"C"})
    (pool / "stale").touch()
    assert len(fetch(source("cats"), tmp_path / "cache", tmp_path)) == 1
    assert calls(pool)[6:] == ["--print-uris", "download", "update", "--print-uris", "download", "-W", "-x"]


def test_apt_gets_folders_of_its_own(tmp_path, pool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fetch(source(), Path("cache"), tmp_path)
    for line in (pool / "log").read_text().splitlines():
        if "dpkg-deb" not in line:
            assert f"-c {tmp_path}/cache/apt/apt.conf" in line
            assert f"-o Dir::State::lists={tmp_path}/cache/apt/lists" in line
            assert f"-o Dir::Cache={tmp_path}/cache/apt/cache" in line
            assert "-o APT::Sandbox::User=root" in line


def test_a_pin_chooses_the_version(tmp_path, pool):
    add_package(pool, "pets_3.0", {"new.png": b"N"})
    old = fetch(source("pets=1:2.0-1"), tmp_path / "cache", tmp_path)
    (new,) = fetch(source("pets=3.0"), tmp_path / "cache", tmp_path)
    assert (len(old), old[0].path.read_bytes(), new.uri) == (2, b"A", "deb:pets@3.0/new.png")
    with refused("source 'wall': the cache holds pets 1:2.0-1, 3.0; choose one: 'pets=3.0'"):
        fetch(source(), tmp_path / "cache", tmp_path)


def test_links_out_of_the_package_are_passed_over(tmp_path, pool):
    (tmp_path / "secret.png").write_bytes(b"secret")
    add_package(
        pool,
        "cats_1",
        {"d/real.png": b"R"},
        [
            ("absolute.png", str(tmp_path / "secret.png")),
            ("climbing.png", "../../../secret.png"),
            ("folder", str(tmp_path)),
            ("d/inside.png", "real.png"),
            ("dangling.png", "gone.png"),
        ],
    )
    got = fetch(source("cats"), tmp_path / "cache", tmp_path)
    assert [(f.relative, f.path.read_bytes()) for f in got] == [("d/inside.png", b"R"), ("d/real.png", b"R")]


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        (("apt-get",), "apt-get"),
        (("dpkg-deb",), "dpkg-deb"),
        (("apt-get", "dpkg-deb"), "apt-get and dpkg-deb"),
    ],
)
def test_a_machine_without_apt(tmp_path, pool, monkeypatch, missing, names):
    for tool in missing:
        (tmp_path / "bin" / tool).unlink()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    message = (
        f"source 'wall': kind 'apt' needs apt-get and dpkg-deb, and this machine does not have {names}; "
        "use a 'local' or 'https' source for these files instead"
    )
    with refused(message):
        fetch(source(), tmp_path / "cache", tmp_path)


def test_unknown_package_quotes_apt(tmp_path, pool):
    message = "source 'wall': apt cannot download package 'dragons': E: Unable to locate package dragons"
    with refused(message):
        fetch(source("dragons"), tmp_path / "cache", tmp_path)
    assert packages(tmp_path / "cache") == []
    assert calls(pool) == ["--print-uris", "update", "--print-uris"]


def test_an_update_that_failed_is_part_of_the_error(tmp_path, pool, monkeypatch):
    monkeypatch.setenv("BROKEN_UPDATE", "Failed to fetch http://pool/InRelease")
    message = (
        "source 'wall': apt cannot download package 'dragons': E: Unable to locate package dragons; "
        "before that, apt-get update said: W: Failed to fetch http://pool/InRelease"
    )
    with refused(message):
        fetch(source("dragons"), tmp_path / "cache", tmp_path)


@pytest.mark.parametrize("package", ["", "-o", "Pets", "pets cats", "pets==1", "../pets", "pets=", "pets/testing"])
def test_malformed_package(tmp_path, pool, package):
    with refused(f"source 'wall': package = {package!r} is neither 'name' nor 'name=version'"):
        fetch(source(package), tmp_path / "cache", tmp_path)
    assert calls(pool) == []


def test_a_package_over_the_cap_is_not_downloaded(tmp_path, pool):
    with refused("source 'wall': pets_1%3a2.0-1_all.deb has 10,240 bytes, over max_mb = 0"):
        fetch(source(max_mb=0), tmp_path / "cache", tmp_path)
    assert "download" not in calls(pool)
    assert packages(tmp_path / "cache") == []


def test_a_package_that_unpacks_to_more_than_the_cap(tmp_path, pool, monkeypatch):
    # What dpkg-deb unpacks is compressed; the stand-in's is not, so it writes more than it read.
    big = DPKG_DEB.replace('-C "$3" ;;', '-C "$3"; head -c 1000001 /dev/zero > "$3/big.png" ;;')
    (tmp_path / "bin" / "dpkg-deb").write_text(big)
    with refused("source 'wall': pets_1%3a2.0-1_all.deb unpacks to 1,000,003 bytes, over max_mb = 1"):
        fetch(source(), tmp_path / "cache", tmp_path)
    assert packages(tmp_path / "cache") == []


def test_a_download_that_brings_nothing(tmp_path, pool, monkeypatch):
    monkeypatch.setenv("NOTHING", "1")
    message = "source 'wall': apt cannot download package 'pets': E: apt-get download left 0 packages, not 1"
    with refused(message):
        fetch(source(), tmp_path / "cache", tmp_path)


def test_a_download_that_is_another_package(tmp_path, pool, monkeypatch):
    monkeypatch.setenv("MISLABELLED", "1")
    with refused("source 'wall': pets_1%3a2.0-1_all.deb is package 'other', not 'pets'"):
        fetch(source(), tmp_path / "cache", tmp_path)


def test_a_damaged_package_quotes_dpkg(tmp_path, pool):
    broken = DPKG_DEB.replace(
        "-x) ", '-x) mkdir "$3"; echo half > "$3/a.png"; echo "dpkg-deb: error: cut" >&2; exit 2; '
    )
    (tmp_path / "bin" / "dpkg-deb").write_text(broken)
    with refused("source 'wall': pets_1%3a2.0-1_all.deb cannot be unpacked: dpkg-deb: error: cut"):
        fetch(source(), tmp_path / "cache", tmp_path)
    assert packages(tmp_path / "cache") == []


def test_a_fetch_that_dies_after_unpacking_leaves_nothing(tmp_path, pool, monkeypatch):
    def die(folder, _final):
        assert (folder / "usr/share/pets/a.png").is_file()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(apt, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            fetch(source(), tmp_path / "cache", tmp_path)
    assert packages(tmp_path / "cache") == []
    assert len(fetch(source(), tmp_path / "cache", tmp_path)) == 2


def test_a_tool_that_hangs_is_stopped(tmp_path, pool, monkeypatch):
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexec sleep 60\n")
    run = apt.run_tool
    monkeypatch.setattr(apt, "run_tool", lambda command, folder: run(command, folder, seconds=0.2))
    with refused("source 'wall': apt-get took longer than 0.2 s"):
        fetch(source(), tmp_path / "cache", tmp_path)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs the real dpkg-deb")
def test_a_real_package(tmp_path, pool):
    (tmp_path / "bin" / "dpkg-deb").unlink()
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: cats\nVersion: 2:1.5~rc1-3\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: cats\n"
    )
    (tree / "usr").mkdir()
    (tree / "usr" / "cat.png").write_bytes(b"meow")
    (tree / "usr" / "out.png").symlink_to("/etc/hostname")
    tree.chmod(0o755)
    (tree / "DEBIAN").chmod(0o755)
    deb = pool / "cats_2%3a1.5~rc1-3_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(deb)], check=True, capture_output=True)
    (got,) = fetch(source("cats"), tmp_path / "cache", tmp_path)
    assert (got.uri, got.path.read_bytes()) == ("deb:cats@2:1.5~rc1-3/usr/cat.png", b"meow")
    assert packages(tmp_path / "cache") == ["cats_2%3a1.5~rc1-3"]
