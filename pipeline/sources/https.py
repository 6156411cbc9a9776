"""Source kind `https`: archives and single files at URLs."""

import hashlib
from itertools import repeat
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pipeline.source import IMAGE_SUFFIXES
from pipeline.sources.archive import ARCHIVE_SUFFIXES, archive_suffix, unpack
from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, folder_bytes, walk_files
from pipeline.sources.web import SECONDS, download, parse_url
from pipeline.sources.workspace import publish, workspace


def fetch(
    source: SourceLike, cache: Path, *, seconds: float = SECONDS, allow_private: bool = False
) -> list[FetchedFile]:
    """The files at `source.urls`, archives unpacked, in `cache`/https.

    A file of an archive has the URI `<url>#<path inside>`. A URL in the cache is used without a call to the
    network unless its checksum is not the one asked for. `seconds` caps each URL; `max_mb` the whole
    source. Raises AssetError as `web.download` and `archive.unpack` do, for a checksum that differs, or for a
    URL that names neither an archive nor an image. `allow_private` is for tests: no manifest reaches it.
    """
    if not source.urls:
        raise AssetError("kind 'https' needs urls = [...], and it is empty")
    if source.sha256 and len(source.sha256) != len(source.urls):
        raise AssetError(f"sha256 has {len(source.sha256)} entries for {len(source.urls)} urls: give one each, or none")
    room = source.max_mb * MB
    files: list[FetchedFile] = []
    for url, expected in zip(source.urls, source.sha256 or repeat(""), strict=False):
        folder = _Url(url, expected.lower(), cache / "https").folder(max(room, 0), seconds, allow_private)
        files += _listed(url, folder / "files")
        room -= folder_bytes(folder / "files")
    return files


def _listed(url: str, folder: Path) -> list[FetchedFile]:
    packed = bool(archive_suffix(_file_name(url)))
    return [FetchedFile(path, name, f"{url}#{name}" if packed else url) for path, name in walk_files(folder)]


class _Url:
    """One URL and its place in the cache: `files/`, and the checksum of the download in `sha256`."""

    def __init__(self, url: str, expected: str, shelf: Path) -> None:
        self._url, self._expected, self._shelf = url, expected, shelf
        self._name = _file_name(url)
        self._final = shelf / hashlib.sha256(url.encode()).hexdigest()[:16]

    def folder(self, max_bytes: int, seconds: float, allow_private: bool) -> Path:
        if not self._is_cached():
            with workspace(self._shelf) as temporary:
                if not self._is_cached():  # else another process was faster
                    self._fill(temporary, max_bytes, seconds, allow_private)
        return self._final

    def _is_cached(self) -> bool:
        marker = self._final / "sha256"
        return marker.is_file() and self._expected in ("", marker.read_text())

    def _fill(self, temporary: Path, max_bytes: int, seconds: float, allow_private: bool) -> None:
        raw = temporary / "download"
        got = download(self._url, raw, max_bytes=max_bytes, seconds=seconds, allow_private=allow_private)
        if self._expected not in ("", got):
            raise AssetError(f"{self._url} has sha256 {got}, expected {self._expected}")
        entry = temporary / "entry"
        (entry / "files").mkdir(parents=True)
        if suffix := archive_suffix(self._name):
            unpack(raw, suffix, entry / "files", label=self._url, max_bytes=max_bytes)
        else:
            raw.replace(entry / "files" / self._name)
        (entry / "sha256").write_text(got)
        publish(entry, self._final)


def _file_name(url: str) -> str:
    name = PurePosixPath(unquote(parse_url(url).path)).name
    if name in ("", "..") or "\0" in name:
        name = "file"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix and not archive_suffix(name) and suffix not in IMAGE_SUFFIXES:
        known = " ".join((*ARCHIVE_SUFFIXES, *IMAGE_SUFFIXES))
        raise AssetError(f"{url} ends in {suffix!r}, which is neither an archive nor an image: {known}")
    return name
