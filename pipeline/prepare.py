"""Prepare: files and generators become assets, once; or are rejected with a reason that is counted."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipeline.assets import Asset, Store, write_atomic
from pipeline.manifest import QualityKnobs, Rule, Source
from pipeline.measure import Measured, measure_cutout, measure_file
from pipeline.sources import FetchedFile, matches
from pipeline.version import code_version, library_versions
from stages.codec import encode_png
from stages.place import has_ground
from stages.types import Rejected


class Task(NamedTuple):
    """A batch of files of one source, or of numbers of its generator."""

    source: Source
    files: tuple[FetchedFile, ...]
    indices: tuple[int, ...]
    quality: QualityKnobs
    canvas: int
    cache: Path


class Dropped(NamedTuple):
    """An asset that is not used, and why."""

    id: str
    reason: str
    detail: str


def prepare(task: Task) -> list[Asset | Dropped]:
    """Decode, trim, measure, judge and store one batch, in order."""
    out: list[Asset | Dropped] = []
    for file in task.files:
        asset_id = f"{task.source.name}:{file.relative}"
        made = _file_asset(task, file, asset_id)
        out.append(made if isinstance(made, Asset) else Dropped(asset_id, made.reason, made.detail))
    return out + [_generated_asset(task, index) for index in task.indices]


def _file_asset(task: Task, file: FetchedFile, asset_id: str) -> Asset | Rejected:
    source = task.source
    data = file.path.read_bytes()
    facts = facts_of(source.rules, file.relative)
    entry = task.cache / "prepared" / f"{_cache_key(task, data)}.json"
    stored = _cached(task, entry) or _remember(
        entry, _kept(task, measure_file(data, asset_id, source.role, task.canvas))
    )
    if "rejected" in stored:
        return Rejected(*stored["rejected"])
    return _judged(task, _described(source, file, facts, asset_id, stored))


def _cached(task: Task, entry: Path) -> dict[str, Any] | None:
    """What `_remember` wrote, if the pixels it speaks of are still there."""
    if not entry.exists():
        return None
    stored: dict[str, Any] = orjson.loads(entry.read_bytes())
    there = "rejected" in stored or Store(task.cache / "objects").path(stored["sha256"]).exists()
    return stored if there else None


def _remember(entry: Path, result: dict[str, object] | Rejected) -> dict[str, Any]:
    stored = {"rejected": [result.reason, result.detail]} if isinstance(result, Rejected) else result
    entry.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(entry, orjson.dumps(stored))
    return stored


def _cache_key(task: Task, data: bytes) -> str:
    parts = (task.source.role, str(task.canvas), code_version("pipeline.measure"), str(library_versions()))
    return hashlib.sha256(hashlib.sha256(data).digest() + "\0".join(parts).encode()).hexdigest()


def _kept(task: Task, measured: Measured | Rejected) -> dict[str, object] | Rejected:
    """Put the pixels into the store; their hash goes with the facts."""
    if isinstance(measured, Rejected):
        return measured
    digest = Store(task.cache / "objects").put(encode_png(measured.pixels))
    return measured.facts | {"sha256": digest}


def facts_of(rules: Sequence[Rule], relative: str) -> dict[str, object]:
    """What a source's rules say about one file; later rules win."""
    facts: dict[str, object] = {}
    for rule in rules:
        if matches(relative, rule.match):
            facts |= {k: v for k, v in rule.model_dump(exclude={"match"}).items() if v is not None}
    return facts


def _described(
    source: Source, file: FetchedFile, facts: dict[str, object], asset_id: str, stored: dict[str, object]
) -> Asset:
    said = facts.pop("whole", None)
    cut = "" if said else str(stored["cut"])
    row: dict[str, object] = {
        "id": asset_id,
        "role": "background" if source.role == "background" else "foreground",
        "source": source.name,
        "origin": source.origin,
        "whole": not cut if said is None else said,
        "license": source.license,
        "attribution": source.attribution,
        "uri": file.uri,
        "caption": _caption(file),
        "coverage": 1.0,
        "soft_share": 0.0,
        "main_component": 1.0,
        "flatness": 0.0,
        "support": source.support,
        "long_side_m": _metres(source, file.relative),
        "min_object_m": 0.0,
        "max_object_m": 0.0,
        "horizon": None,
        "light_x": 0.0,
    }
    asset = Asset.model_validate(row | stored | facts | {"cut": cut})
    if asset.role == "background" and not has_ground(asset.horizon):
        return asset.model_copy(update={"support": "air"})
    return asset


def _metres(source: Source, relative: str) -> float:
    named = [metres for glob, metres in source.long_sides_m.items() if matches(relative, (glob,))]
    return named[-1] if named else source.long_side_m or 0.0


def _caption(file: FetchedFile) -> str:
    """First line of a text file beside the picture, else the words of its name."""
    beside = file.path.with_suffix(".txt")
    if beside.is_file():
        lines = beside.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            return lines[0].strip().rstrip(".")
    return " ".join(file.path.stem.replace("_", " ").replace("-", " ").split())


def _judged(task: Task, a: Asset) -> Asset | Rejected:
    q = task.quality
    if a.role == "background":
        least = q.min_background_side or math.ceil(task.canvas / 1.25)
        side = min(a.width, a.height)
        return Rejected("too_small", f"short side {side} px, at least {least}") if side < least else a
    checks = (
        ("too_small", max(a.width, a.height) < q.min_long_side, f"long side {max(a.width, a.height)} px"),
        ("thin_coverage", a.coverage < q.min_coverage, f"{a.coverage:.3f} of its box"),
        ("too_soft", a.soft_share > q.max_soft_share, f"{a.soft_share:.2f} semi-transparent"),
        ("fragmented", a.main_component < q.min_main_component, f"main part {a.main_component:.2f}"),
        (
            "flat_drawing",
            a.origin == "real" and a.flatness > q.max_flatness,
            f"{a.flatness:.2f} of neighbours are equal",
        ),
        ("cut_on_opposite_sides", {"l", "r"} <= set(a.cut) or {"t", "b"} <= set(a.cut), f"cut at {a.cut}"),
    )
    for reason, failed, detail in checks:
        if failed:
            return Rejected(reason, detail)
    return a


def _generated_asset(task: Task, index: int) -> Asset | Dropped:
    source = task.source
    asset_id = f"{source.name}:{index:06d}"
    entry = task.cache / "prepared" / f"{_generated_key(task, index)}.json"
    stored = _cached(task, entry) or _remember(entry, _generated(task, index))
    file = FetchedFile(entry, f"{index:06d}", f"procedural:{source.seed}/{index}")
    asset = _judged(task, _described(source, file, {"whole": True}, asset_id, stored))
    return asset if isinstance(asset, Asset) else Dropped(asset_id, asset.reason, asset.detail)


def _generated_key(task: Task, index: int) -> str:
    code = (code_version("stages.generate"), code_version("pipeline.measure"))
    parts = (task.source.seed, index, task.source.size, task.canvas, library_versions(), *code)
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _generated(task: Task, index: int) -> dict[str, object]:
    from stages.generate import procedural

    made = procedural(task.source.seed, index, task.source.size)
    row = _kept(task, measure_cutout(made.rgba, task.canvas))
    assert not isinstance(row, Rejected), f"{task.source.name} {index}: the generator made an empty object"
    return row | {"caption": made.caption, "light_x": float(made.light[0])}
