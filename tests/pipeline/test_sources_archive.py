"""Unpacking: honest archives in every format, and hostile ones."""

import io
import random
import re
import stat
import tarfile
import zipfile
import zlib

import pytest

from pipeline.sources import AssetError
from pipeline.sources.archive import ARCHIVE_SUFFIXES, archive_suffix, unpack

FILES = {"a.png": b"alpha" * 100, "d/e/b.jpg": random.Random(5).randbytes(3000), "empty.png": b""}
MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.xz": "w:xz", ".tar.bz2": "w:bz2"}


def pack(path, suffix, files):
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for name, data in files.items():
                out.writestr(name, data)
        return path
    with tarfile.open(path, MODES[suffix]) as out:
        for name, data in files.items():
            add(out, name, data)
    return path


def add(out, name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    out.addfile(info, io.BytesIO(data))


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def open_up(path, suffix, into, **limits):
    unpack(path, suffix, into, label="LABEL", **{"max_bytes": 10_000, **limits})


def refused(message):
    return pytest.raises(AssetError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_every_format_gives_the_files_back(tmp_path, suffix):
    open_up(pack(tmp_path / "x", suffix, FILES), suffix, tmp_path / "out")
    assert contents(tmp_path / "out") == FILES


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.ZIP", ".zip"), ("a.tar.gz", ".tar.gz"), ("a.TGZ", ".tgz"), ("a.tar", ".tar"), ("a.gz", ""), ("a.png", "")],
)
def test_archives_are_known_by_their_suffix(name, suffix):
    assert archive_suffix(name) == suffix


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
@pytest.mark.parametrize("name", ["../evil.png", "d/../../evil.png", "/evil.png", "d\\..\\..\\evil.png", ".."])
def test_a_name_that_climbs_out_is_refused(tmp_path, suffix, name):
    archive = pack(tmp_path / "x", suffix, {name: b"evil"})
    with refused(f"LABEL holds {name!r}, which would be written outside its folder"):
        open_up(archive, suffix, tmp_path / "in" / "out")
    assert not contents(tmp_path / "in")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["x"]


def test_tar_links_and_devices_are_not_restored(tmp_path):
    with tarfile.open(tmp_path / "x", "w") as out:
        add(out, "dir", type=tarfile.SYMTYPE, linkname=str(tmp_path))
        add(out, "dir/evil.png", b"through the link")
        add(out, "hard.png", type=tarfile.LNKTYPE, linkname="../x")
        add(out, "pipe", type=tarfile.FIFOTYPE)
        add(out, "null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)
        add(out, "run.png", b"plain", mode=0o6777)
    open_up(tmp_path / "x", ".tar", tmp_path / "out")
    assert contents(tmp_path / "out") == {"dir/evil.png": b"through the link", "run.png": b"plain"}
    assert not (tmp_path / "evil.png").exists()
    assert not any(p.is_symlink() for p in (tmp_path / "out").rglob("*"))
    assert not (tmp_path / "out" / "run.png").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IXUSR)


def test_zip_links_are_not_restored(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x", "w") as out:
        out.writestr(link, "/etc/passwd")
        out.writestr("a.png", b"a")
    open_up(tmp_path / "x", ".zip", tmp_path / "out")
    assert contents(tmp_path / "out") == {"a.png": b"a"}


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
def test_the_byte_cap_counts_all_files(tmp_path, suffix):
    archive = pack(tmp_path / "x", suffix, {f"{i}.png": bytes(1000) for i in range(4)})
    open_up(archive, suffix, tmp_path / "fits", max_bytes=4000)
    with refused("LABEL unpacks to more than the 3,999 bytes that max_mb leaves it"):
        open_up(archive, suffix, tmp_path / "out", max_bytes=3999)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
def test_a_bomb_stops_at_the_cap(tmp_path, suffix):
    archive = pack(tmp_path / "x", suffix, {"bomb.png": bytes(30_000_000)})
    assert archive.stat().st_size < 60_000
    with refused("LABEL unpacks to more than the 10,000 bytes that max_mb leaves it"):
        open_up(archive, suffix, tmp_path / "out")
    assert sum(map(len, contents(tmp_path / "out").values())) <= 10_000


def test_a_bomb_in_a_tar_header_stops_at_the_cap(tmp_path):
    with tarfile.open(tmp_path / "x", "w:gz", format=tarfile.PAX_FORMAT) as out:
        add(out, "a.png", b"a", pax_headers={"comment": "x" * 40_000_000})
    with refused("LABEL unpacks to more than the 10,000 bytes that max_mb leaves it"):
        open_up(tmp_path / "x", ".tar.gz", tmp_path / "out")


def test_a_sparse_tar_member_counts_at_its_full_size(tmp_path):
    # An old-GNU sparse member: no data in the archive, 1 GB when unpacked (GNU tar manual, "Sparse Formats").
    info = tarfile.TarInfo("sparse.png")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % 1_000_000_000
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    (tmp_path / "x").write_bytes(bytes(header) + bytes(1024))
    with refused("LABEL unpacks to more than the 10,000 bytes that max_mb leaves it"):
        open_up(tmp_path / "x", ".tar", tmp_path / "out")


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_the_entry_cap(tmp_path, suffix):
    archive = pack(tmp_path / "x", suffix, dict.fromkeys("abc", b""))
    open_up(archive, suffix, tmp_path / "fits", max_files=3)
    with refused("LABEL holds more than 2 entries"):
        open_up(archive, suffix, tmp_path / "out", max_files=2)


def test_folders_count_as_entries(tmp_path):
    with tarfile.open(tmp_path / "x", "w") as out:
        for name in "abc":
            add(out, name, type=tarfile.DIRTYPE)
    with refused("LABEL holds more than 2 entries"):
        open_up(tmp_path / "x", ".tar", tmp_path / "out", max_files=2)


@pytest.mark.parametrize("suffix", ARCHIVE_SUFFIXES)
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damage_is_an_asset_error(tmp_path, suffix, damage):
    whole = pack(tmp_path / "x", suffix, FILES).read_bytes()
    cut = whole[: len(whole) // 3]
    (tmp_path / "x").write_bytes(cut if damage == "cut" else random.Random(1).randbytes(4000))
    with pytest.raises(AssetError, match=r"^LABEL cannot be unpacked: .+"):
        open_up(tmp_path / "x", suffix, tmp_path / "out")


def test_a_wrong_checksum_in_a_zip_is_damage(tmp_path):
    archive = pack(tmp_path / "x", ".zip", {"a.png": b"alpha"})
    crc = zlib.crc32(b"alpha").to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(crc, bytes(4)))
    with refused("LABEL cannot be unpacked: Bad CRC-32 for file 'a.png'"):
        open_up(archive, ".zip", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(pack(tmp_path / "x", ".zip", {"a.png": b"alpha"}).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(AssetError, match=r"^LABEL cannot be unpacked: .*encrypted"):
        open_up(tmp_path / "x", ".zip", tmp_path / "out")


def test_a_file_where_a_folder_is_needed_is_damage(tmp_path):
    with tarfile.open(tmp_path / "x", "w") as out:
        add(out, "a", b"file")
        add(out, "a/b.png", b"below it")
    with pytest.raises(AssetError, match=r"^LABEL cannot be unpacked: .+"):
        open_up(tmp_path / "x", ".tar", tmp_path / "out")
