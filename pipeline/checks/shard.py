"""Check one shard: the file, its members, and every sample in it. One task of `run_tasks`."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow.parquet as pq

from pipeline.assets import Asset, Store, read_table
from pipeline.checks import metadata, pixels
from pipeline.checks.common import Problem, Tally
from pipeline.index import sha_column
from pipeline.manifest import Manifest
from pipeline.sample import PixelCache
from pipeline.schema import SampleMeta
from pipeline.shards import MEMBERS, Member, ShardError, read_members, sample_key
from pipeline.version import code_version, library_versions
from stages.composite import Pixels, render
from stages.types import U8, Recipe, Rejected


class ShardCheck(NamedTuple):
    """What to check. `num_bytes` and `sha256` are those of `index.json` (0 and empty if it lists no such shard);
    `rerender` are numbers of samples; `stamp` changes with the records in `out`."""

    name: str
    split: str
    start: int
    stop: int
    num_bytes: int
    sha256: str
    rerender: tuple[int, ...]
    out: str
    cache: str
    stamp: str


class Context(NamedTuple):
    """What the samples of a build are checked against; read once a process."""

    manifest: Manifest
    assets: dict[str, Asset]
    pixels: Pixels
    other_code: bool


@lru_cache(maxsize=2)
def context(out: str, cache: str, stamp: str) -> Context:
    """The context of a build."""
    build = orjson.loads((Path(out) / ".build" / "build.json").read_bytes())
    manifest = Manifest.model_validate_json(orjson.dumps(build["manifest"]))
    assets = {a.id: a for a in read_table(Path(out) / "meta" / "assets.parquet")}
    now = {"code": code_version("pipeline.sample"), "libraries": library_versions()}
    other = any(build["identity"][k] != v for k, v in now.items())
    return Context(manifest, assets, PixelCache(Store(Path(cache) / "objects"), assets), other)


def check_shard(task: ShardCheck) -> Tally:
    """Everything there is to check in a shard; goes on after a problem as far as it can."""
    tally = Tally()
    path = Path(task.out) / "data" / task.name
    if not path.is_file():
        return tally  # which `data_files` says
    if task.sha256:
        tally.check("shard_bytes", _file_faults(path, task), task.name)
    rows = _rows(task)
    keys: list[str] = []
    try:
        for key, members in _samples(path):
            keys.append(key)
            _check_sample(task, key, members, rows.get(key), tally)
    except ShardError as error:
        tally.check("tar", [str(error).removeprefix(f"{path}: ")], task.name)
        return tally
    tally.check("tar", [], task.name)
    if faults := _key_faults(task, keys):
        tally.report(Problem(task.name, "", "members", "; ".join(faults)))
    return tally


def _file_faults(path: Path, task: ShardCheck) -> list[str]:
    size = path.stat().st_size
    if size != task.num_bytes:
        return [f"{size} bytes, index.json says {task.num_bytes}"]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return [] if found == task.sha256 else [f"SHA-256 is {found}, index.json says {task.sha256}"]


def _rows(task: ShardCheck) -> dict[str, dict[str, Any]]:
    table = pq.read_table(Path(task.out) / "meta" / "index.parquet", filters=[("shard", "=", task.name)])
    return {row["key"]: row for row in table.to_pylist()}


def _samples(path: Path) -> Iterator[tuple[str, list[Member]]]:
    for key, members in groupby(read_members(path), key=lambda m: m.name.split(".", 1)[0]):
        yield key, list(members)


def _key_faults(task: ShardCheck, keys: list[str]) -> list[str]:
    asked = [sample_key(task.split, n) for n in range(task.start, task.stop)]
    if keys == asked:
        return []
    missing = [k for k in asked if k not in set(keys)]
    extra = [k for k in keys if k not in set(asked)]
    faults = [f"{len(missing)} of {len(asked)} samples are missing, first {missing[0]}"] if missing else []
    faults += [f"{len(extra)} unexpected samples, first {extra[0]}"] if extra else []
    return faults or ["samples are out of order, or there twice"]


def _check_sample(
    task: ShardCheck, key: str, members: list[Member], row: Mapping[str, Any] | None, tally: Tally
) -> None:
    tally.check("members", _member_faults(key, members, row), task.name, key)
    if sorted(m.name for m in members) != sorted(f"{key}.{name}" for name in MEMBERS):
        return
    data = {m.name.removeprefix(f"{key}."): m.data for m in members}
    if row is not None:
        for name in MEMBERS:
            found, stored = hashlib.sha256(data[name]).hexdigest(), row[sha_column(name)]
            fault = [] if found == stored else [f"{name}: SHA-256 is {found}, the index says {stored}"]
            tally.check("member_sha256", fault, task.name, key)
    ctx = context(task.out, task.cache, task.stamp)
    pictures = _decode(task, key, data, ctx.manifest.size, tally)
    meta = metadata.parse(data["json"])
    if not isinstance(meta, SampleMeta):
        tally.check("json_schema", meta, task.name, key)
        return
    _check_meta(task, key, meta, row, tally)
    if pictures is not None:
        _check_pixels(task, key, meta, pictures, tally)


def _member_faults(key: str, members: list[Member], row: Mapping[str, Any] | None) -> list[str]:
    names = [m.name.removeprefix(f"{key}.") for m in members]
    faults = [] if names == list(MEMBERS) else [f"members are {names}, must be {list(MEMBERS)}"]
    if row is not None and row["offset"] != members[0].offset:
        faults.append(f"is at byte {members[0].offset}, the index says {row['offset']}")
    return faults


def _decode(task: ShardCheck, key: str, data: dict[str, bytes], size: int, tally: Tally) -> dict[str, U8] | None:
    pictures = {}
    for name, channels in pixels.CHANNELS.items():
        found = pixels.decode(data[name], channels, size)
        if isinstance(found, str):
            tally.check("png", [f"{name} {found}"], task.name, key)
        else:
            tally.check("png", [], task.name, key)
            pictures[name.removesuffix(".png")] = found
    return pictures if len(pictures) == len(pixels.CHANNELS) else None


def _check_meta(task: ShardCheck, key: str, meta: SampleMeta, row: Mapping[str, Any] | None, tally: Tally) -> None:
    ctx = context(task.out, task.cache, task.stamp)
    tally.check("json_schema", [], task.name, key)
    if row is not None:
        tally.check("json_index", metadata.row_differences(meta, row), task.name, key)
    tally.check("metadata", metadata.consistency(meta, ctx.manifest, ctx.assets), task.name, key)
    tally.check("split_leak", metadata.leaks(meta, ctx.assets), task.name, key)
    tally.check("license_gate", metadata.refused(meta, ctx.manifest), task.name, key)


def _check_pixels(task: ShardCheck, key: str, meta: SampleMeta, pictures: dict[str, U8], tally: Tally) -> None:
    ctx = context(task.out, task.cache, task.stamp)
    sample = pixels.Pictures(**pictures, meta=meta, manifest=ctx.manifest)
    for rule, check in pixels.CHECKS.items():
        tally.check(rule, check(sample), task.name, key)
    if meta.index in task.rerender:
        tally.check("rerender", _rerender_faults(meta, pictures, ctx), task.name, key)


def _rerender_faults(meta: SampleMeta, pictures: dict[str, U8], ctx: Context) -> list[str]:
    note = " (the code or its libraries are not those of the build)" if ctx.other_code else ""
    try:
        made = render(Recipe.model_validate_json(meta.recipe), ctx.pixels)
    except (ValueError, OSError, KeyError) as error:
        return [f"cannot be rendered: {type(error).__name__}: {error}"]
    if isinstance(made, Rejected):
        return [f"the renderer rejects it: {made.reason}, {made.detail}{note}"]
    unequal = {name: np.atleast_3d(getattr(made, name) != stored).any(axis=2) for name, stored in pictures.items()}
    return [f"{bad.sum()} pixels of {name}.png differ{note}" for name, bad in unequal.items() if bad.any()]
