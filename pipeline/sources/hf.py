"""Source kind `hf`: the first rows of a Hub data set, or of a folder in the Hub's layout."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from pipeline.source import Rows
from pipeline.sources.common import MB, AssetError, FetchedFile, SourceLike, folder_state
from pipeline.sources.hf_columns import Columns
from pipeline.sources.hf_rows import Asked, Origin, quiet, read_rows
from pipeline.sources.workspace import publish, workspace

_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?", re.ASCII)
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tif"),
    (b"MM\x00*", "tif"),
)


class _Record(NamedTuple):
    """A line of rows.jsonl."""

    file: str
    uri: str
    caption: str
    license: str
    attribution: str


def fetch(source: SourceLike, cache: Path, base: Path) -> list[FetchedFile]:
    """The pictures of the first `source.rows.limit` rows of a data set, as they are, in `cache`/hf.

    `source.path` is a folder in the Hub's layout (relative to `base`), or else the id of a Hub data set, which is
    streamed: what is not asked for is not downloaded. Rows that are in the cache are used without a call to the
    network. A file is called by its row, and by the name column where there is one. A licence that is neither in
    `rows.licenses` nor an SPDX expression becomes a reference of its own, `LicenseRef-unlisted-<its words>`, which
    no allow-list admits. Pictures come only from the data set, never from a URL or a path elsewhere that a row
    names, and no code of a data set is run. Raises AssetError if the library is missing, or the data set, its
    config, split or a column is; if it is out of reach; or if the pictures exceed `max_mb`.
    """
    origin = _origin(source, base)
    shelf = cache.absolute() / "hf"
    final = shelf / _key(source, origin)
    if not (final / "rows.jsonl").is_file():
        with workspace(shelf) as temporary:
            if not (final / "rows.jsonl").is_file():  # else another process was faster
                _fill(temporary / "entry", source, origin)
                publish(temporary / "entry", final)
    return list(_listed(final))


def _origin(source: SourceLike, base: Path) -> Origin:
    folder = (base / Path(source.path).expanduser()).resolve()
    if folder.is_dir():
        return Origin(str(folder), folder, folder.name)
    if not _ID.fullmatch(source.path):
        raise AssetError(f"path = {source.path!r} is neither a folder (looked at {folder}) nor the id of a data set")
    if Path(source.path).exists():
        raise AssetError(
            f"path = {source.path!r} is no folder beside the manifest, but there is one in the working directory, "
            "which would be read in place of the data set of that id: start somewhere else"
        )
    return Origin(source.path, None, source.path)


def _key(source: SourceLike, origin: Origin) -> str:
    rows = source.rows
    parts = [origin.path, folder_state(origin.folder) if origin.folder else "", _asked(rows), _columns(rows)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _asked(rows: Rows) -> Asked:
    return Asked(rows.config, rows.split, rows.revision, rows.limit)


def _columns(rows: Rows) -> Columns:
    return Columns(rows.image, rows.name, rows.caption, rows.license, rows.attribution, rows.licenses)


def _fill(entry: Path, source: SourceLike, origin: Origin) -> None:
    files, room = entry / "files", source.max_mb * MB
    files.mkdir(parents=True)
    rows = read_rows(_asked(source.rows), _columns(source.rows), origin, room)
    with (entry / "rows.jsonl").open("w", encoding="utf-8") as out, quiet(), closing(rows):
        for row in rows:
            room -= len(row.data)
            if room < 0:
                raise AssetError(f"the pictures up to row {row.number} exceed max_mb = {source.max_mb}")
            name = f"{row.number:07d}{row.facts.name}.{_suffix(row.data)}"
            (files / name).write_bytes(row.data)
            record = _Record(name, row.uri, row.facts.caption, row.facts.license, row.facts.attribution)
            out.write(json.dumps(record._asdict()) + "\n")


def _suffix(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    # What is no picture keeps the suffix of one: so it is offered, and counted when it cannot be decoded.
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), "png")


def _listed(entry: Path) -> Iterator[FetchedFile]:
    with (entry / "rows.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            r = _Record(**json.loads(line))
            path = entry / "files" / r.file
            yield FetchedFile(path, r.file, r.uri, caption=r.caption, license=r.license, attribution=r.attribution)
