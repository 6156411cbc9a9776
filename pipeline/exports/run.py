"""Running an export: the samples of a split one by one, each read at its byte offset and written once."""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from pipeline.assets import write_atomic
from pipeline.exports.common import Format, Row, Sample
from pipeline.facts import require_finished
from pipeline.index import sha_column
from pipeline.listener import Listener
from pipeline.preview import read_sample
from pipeline.shards import MEMBERS, ShardError, sweep
from pipeline.version import digest

RECORD, ATTRIBUTION = "export.json", "ATTRIBUTION.md"
ALL = "all"
_COLUMNS = ["key", "split", "shard", "offset", "caption", "size", *(sha_column(name) for name in MEMBERS)]


class Exporter:
    """Writes builds in the formats it was given by name."""

    def __init__(self, formats: Mapping[str, Format]) -> None:
        self._formats = formats

    def __call__(self, out: Path, to: Path, format: str, split: str, limit: int, tell: Listener) -> int:
        """Write the samples of a finished build in another format; run again, it goes on where it ended.

        A file is there whole or not at all, so a sample whose files are all there is not read or written again.
        `to`/export.json says which build, format and split the folder holds. ATTRIBUTION.md is copied along.

        Args:
            out: the build.
            to: an empty or new folder, or that of an earlier export of the same build, format and split.
            format: a name of `FORMATS`.
            split: a split of the build, or `all`.
            limit: the first so many samples of the split; 0 is all of them.
            tell: hears of the stage `export` and of every sample.

        Returns:
            How many samples were written; those that were there already do not count.

        Raises:
            ShardError: no finished build, an unknown format or split, a folder that holds something else, a sample
                that is not what the index says (the text begins with the shard and names the sample), or a file
                that cannot be written.
        """
        chosen = _known("format", format, self._formats)
        plan = require_finished(out)
        rows = _rows(out, split, limit)
        try:
            _claim(to, {"build": plan.fingerprint, "format": format, "split": split})
            tell.stage("export", len(rows))
            written = sum(_export(out, to, chosen, row, tell) for row in rows)
            for name, data in (chosen.lists(to.resolve(), rows) | _attribution(out)).items():
                write_atomic(to / name, data)
        except OSError as error:
            raise ShardError(f"{error.filename or to}: cannot be written: {error.strerror or error}") from None
        return written


def _known(what: str, name: str, names: Iterable[str]) -> Any:
    names = names if isinstance(names, Mapping) else {n: n for n in names}
    if name in names:
        return names[name]
    near = difflib.get_close_matches(name, list(names), 1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
    raise ShardError(f"{what}: there is no '{name}'; {hint}")


def _rows(out: Path, split: str, limit: int) -> list[Row]:
    if limit < 0:
        raise ShardError(f"limit: must be 0 (all) or more, got {limit}")
    table = pq.read_table(out / "meta" / "index.parquet", columns=_COLUMNS)
    rows: list[Row] = table.to_pylist()
    _known("split", split, [ALL, *dict.fromkeys(row["split"] for row in rows)])
    wanted = [row for row in rows if split in (ALL, row["split"])]
    return wanted[:limit] if limit else wanted


def _claim(to: Path, identity: dict[str, str]) -> None:
    """Make `to` the folder of this export.

    Raises:
        ShardError: it holds another one, or files of unknown origin.
    """
    to.mkdir(parents=True, exist_ok=True)
    for folder in (to, *(path for path in to.iterdir() if path.is_dir())):
        sweep(folder)
    record = to / RECORD
    if not record.exists():
        if first := next(iter(sorted(to.iterdir())), None):
            raise ShardError(f"{to}: holds {first.name} but no {RECORD}; give an empty folder")
        write_atomic(record, orjson.dumps(identity, option=orjson.OPT_INDENT_2))
        return
    try:
        stored = dict(orjson.loads(record.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ShardError(f"{record}: damaged: {error}") from None
    for name, value in identity.items():
        if stored.get(name) != value:
            raise ShardError(f"{to}: holds an export of {name} {stored.get(name)}, not {value}; give another folder")


def _export(out: Path, to: Path, chosen: Format, row: Row, tell: Listener) -> int:
    paths = [to / name for name in chosen.files(row["key"])]
    done = all(path.is_file() for path in paths)
    if not done:
        contents = chosen.contents(_read(out, row))
        for folder in {path.parent for path in paths}:
            folder.mkdir(exist_ok=True)
        for path, data in zip(paths, contents, strict=True):
            write_atomic(path, data)
    tell.advance(1, Counter())
    return int(not done)


def _read(out: Path, row: Row) -> Sample:
    members = read_sample(out, dict(row))
    for name, data in members.items():
        found, wanted = digest(data), row[sha_column(name)]
        if found != wanted:
            place = f"{out / 'data' / row['shard']}: {row['key']}.{name}"
            raise ShardError(f"{place} is damaged: its SHA-256 is {found}, the index says {wanted}")
    return Sample(row, members)


def _attribution(out: Path) -> dict[str, bytes]:
    path = out / ATTRIBUTION
    return {ATTRIBUTION: path.read_bytes()} if path.is_file() else {}
