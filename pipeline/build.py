"""Build: a manifest becomes a folder of shards, resumable at any moment.

OUT/data/*.tar          shards, each under its final name only when whole
OUT/.build/build.json   what is being built: manifest, fingerprint
OUT/.build/*.parquet    one marker a finished shard: its part of the index
OUT/meta, index.json    written when all shards are there
"""

import fcntl
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipeline import index
from pipeline.assets import read_table, write_atomic, write_table
from pipeline.collect import Collected, collect
from pipeline.listener import Listener
from pipeline.manifest import Manifest
from pipeline.run import Failure, Machine, run_tasks, session
from pipeline.sample import Maker, encode
from pipeline.schema import SampleMeta
from pipeline.shards import ShardError, sample_key, shard_name, sweep, write_shard
from pipeline.version import code_version, differences, digest, library_versions

_FOLDERS = ("data", "meta", ".build")


class ShardTask(NamedTuple):
    """One shard: samples [start, stop) of a split. Small; everything else is read from `out` and `cache`."""

    split: str
    shard: int
    num_shards: int
    start: int
    stop: int
    out: str
    cache: str
    fingerprint: str

    @property
    def name(self) -> str:
        """File name of the shard."""
        return shard_name(self.split, self.shard, self.num_shards)


class Summary(NamedTuple):
    """What a build did. `seconds` a stage, `rejects` layouts redrawn by reason, `failed` one line a shard."""

    samples: int
    built: int
    seconds: dict[str, float]
    rejects: Counter[str]
    collected: Collected
    failed: list[str]


def split_sizes(manifest: Manifest) -> dict[str, int]:
    """Number of samples in each split, even where scenes are paired; rounding goes to the first."""
    step = 2 if manifest.paired else 1
    sizes = {name: step * round(share * manifest.samples / step) for name, share in manifest.splits.items()}
    first = next(iter(sizes))
    sizes[first] += manifest.samples - sum(sizes.values())
    return sizes


def shard_tasks(manifest: Manifest, out: Path, cache: Path, fingerprint: str) -> list[ShardTask]:
    """All shards of a build, sizes within a split differing by one at most (by two where scenes are paired)."""
    tasks = []
    for split, total in split_sizes(manifest).items():
        count = -(-total // manifest.shard_size)
        step = 2 if manifest.paired else 1
        edges = [step * round(total / step * k / count) for k in range(count)] + [total]
        for k in range(count):
            place = (split, k, count, edges[k], edges[k + 1])
            tasks.append(ShardTask(*place, str(out), str(cache), fingerprint))
    return tasks


@lru_cache(maxsize=2)
def maker(out: str, cache: str, fingerprint: str) -> Maker:
    """The maker of a build's samples, once a process."""
    stored = orjson.loads((Path(out) / ".build" / "build.json").read_bytes())
    if stored["fingerprint"] != fingerprint:
        raise ShardError(f"{out}: another build took this folder: fingerprint {stored['fingerprint']}")
    manifest = Manifest.model_validate_json(orjson.dumps(stored["manifest"]))
    return Maker(manifest, read_table(Path(out) / "meta" / "assets.parquet"), Path(cache) / "objects")


def build_shard(task: ShardTask) -> dict[str, int]:
    """Make one shard and its marker; returns rejected layouts by reason."""
    make = maker(task.out, task.cache, task.fingerprint)
    rejects: Counter[str] = Counter()
    metas: list[SampleMeta] = []
    hashes: list[dict[str, str]] = []

    def samples() -> Iterator[tuple[str, dict[str, bytes]]]:
        for number in range(task.start, task.stop):
            made = make.make(task.split, number)
            members = encode(made)
            rejects.update(made.rejects)
            metas.append(made.meta)
            hashes.append({name: digest(data) for name, data in members.items()})
            yield sample_key(task.split, number), members

    written = write_shard(Path(task.out) / "data" / task.name, samples())
    index.write_marker(marker(task), task.name, metas, hashes, written, rejects)
    return dict(rejects)


def marker(task: ShardTask) -> Path:
    """The file that says that a shard is finished."""
    return Path(task.out) / ".build" / f"{task.name.removesuffix('.tar')}.parquet"


def is_finished(task: ShardTask) -> bool:
    """Whether the shard is there, whole by its size, and of this build. (`validate` reads it all.)"""
    path = Path(task.out) / "data" / task.name
    try:
        return path.stat().st_size == index.marker_bytes(marker(task))
    except FileNotFoundError:
        return False


@session()
def build(manifest: Manifest, base: Path, out: Path, cache: Path, machine: Machine, to: Listener) -> Summary:
    """Build the data set of `manifest` in `out`, or go on with it.

    Raises:
        ManifestError, AssetError: see `collect`; nothing in `out` is touched.
        ShardError: `out` cannot be written, holds another build, or another process is building there.
    """
    clock = _Clock()
    collected = collect(manifest, base, cache, machine, to)
    clock.lap("fetch and prepare")
    with _writing(out):
        for name in _FOLDERS:
            (out / name).mkdir(parents=True, exist_ok=True)
    with _only_one(out):
        with _writing(out):
            _sweep_all(out)
            fingerprint = _claim(manifest, collected, out)
        tasks = shard_tasks(manifest, out, cache, fingerprint)
        todo = [t for t in tasks if not is_finished(t)]
        rejects, failed = _run(todo, len(tasks) - len(todo), machine, to)
        clock.lap("build")
        _sweep_all(out)  # what killed workers left
        if not failed:
            with _writing(out):
                index.finish(manifest, out, fingerprint, [marker(t) for t in tasks])
            clock.lap("index")
    built = sum(t.stop - t.start for t in todo)
    return Summary(manifest.samples, built, clock.seconds, rejects, collected, failed)


def _run(todo: list[ShardTask], finished: int, machine: Machine, to: Listener) -> tuple[Counter[str], list[str]]:
    to.stage("build", sum(t.stop - t.start for t in todo))
    if finished:
        to.note(f"{finished} finished shards are kept")
    rejects: Counter[str] = Counter()
    failed: list[str] = []
    for place, result in run_tasks(build_shard, todo, machine.workers, machine.address):
        task = todo[place]
        if isinstance(result, Failure):
            failed.append(f"{task.name}: {result.error}")
            to.note(f"failed: {failed[-1]}")
            continue
        rejects.update(result)
        to.advance(task.stop - task.start, Counter(result))
    return rejects, sorted(failed)


def _claim(manifest: Manifest, collected: Collected, out: Path) -> str:
    """Write what is being built, or check that the folder holds the same."""
    record = _record(manifest, collected)
    path = out / ".build" / "build.json"
    if path.exists():
        stored = orjson.loads(path.read_bytes())
        changed = differences(stored["identity"], record["identity"])
        if changed:
            raise ShardError(
                f"{out}: holds another build; nothing was touched. What differs:\n  "
                + "\n  ".join(differences(stored["manifest"], record["manifest"]) + changed)
                + "\nGive another --out, or remove this folder."
            )
        return str(stored["fingerprint"])
    write_table(out / "meta" / "assets.parquet", collected.assets)
    write_atomic(path, orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return str(record["fingerprint"])


def _record(manifest: Manifest, collected: Collected) -> dict[str, Any]:
    plain = manifest.model_dump(mode="json")
    assets = b"".join(a.model_dump_json().encode() for a in collected.assets)
    identity = {
        "manifest": digest(orjson.dumps(plain)),
        "assets": digest(assets),
        "code": code_version("pipeline.sample"),
        "libraries": library_versions(),
    }
    rejected = [d._asdict() for d in collected.dropped]
    fingerprint = digest(orjson.dumps(identity))
    return {"fingerprint": fingerprint, "identity": identity, "manifest": plain, "rejected_assets": rejected}


def _sweep_all(out: Path) -> None:
    for folder in (out, *(out / name for name in _FOLDERS)):
        sweep(folder)


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ShardError(f"{out}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _only_one(out: Path) -> Iterator[None]:
    with (out / ".build" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ShardError(f"{out}: another build is running in this folder") from None
        yield


class _Clock:
    """Wall-clock seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Book the time since the last call under `name`."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now
