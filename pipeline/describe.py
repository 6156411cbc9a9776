"""Describe: what the asset table says of an asset, from its source, the source's metadata, rules and measurements."""

from collections.abc import Mapping, Sequence

from pipeline.assets import Asset
from pipeline.source import Rule, Source
from pipeline.sources import FetchedFile, matches
from stages.place import has_ground

_UNMEASURED: dict[str, object] = {  # of a background
    "coverage": 1.0,
    "soft_share": 0.0,
    "main_component": 1.0,
    "flatness": 0.0,
    "palette": 0.0,
    "text_like": 0.0,
    "sharpness": 0.0,
    "clipped": 0.0,
}


def facts_of(rules: Sequence[Rule], relative: str) -> dict[str, object]:
    """What a source's rules say about one file; later rules win."""
    facts: dict[str, object] = {}
    for rule in rules:
        if matches(relative, rule.match):
            facts |= {k: v for k, v in rule.model_dump(exclude={"match"}).items() if v is not None}
    return facts


def license_of(source: Source, file: FetchedFile) -> str:
    """The licence of a file: its rule's, else its metadata's, else its source's."""
    return str(facts_of(source.rules, file.relative).get("license") or file.license or source.license)


def describe_asset(source: Source, file: FetchedFile, asset_id: str, measured: Mapping[str, object]) -> Asset:
    """The row of an asset. Rules go before the file's own metadata, those before the source's words."""
    facts = facts_of(source.rules, file.relative)
    said = facts.pop("whole", file.whole)
    cut = "" if said else str(measured["cut"])
    caption, caption_from = _caption(file)
    row: dict[str, object] = {
        "id": asset_id,
        "role": "background" if source.role == "background" else "foreground",
        "source": source.name,
        "origin": source.origin,
        "alpha_from": _alpha_from(source, file),
        "whole": not cut if said is None else said,
        "license": file.license or source.license,
        "attribution": file.attribution or source.attribution,
        "uri": file.uri,
        "photo": file.photo,
        "caption": caption,
        "caption_from": "source" if "caption" in facts else caption_from,
        "support": source.support,
        "long_side_m": _metres(source, file.relative),
        "min_object_m": 0.0,
        "max_object_m": 0.0,
        "horizon": None,
        "light_x": 0.0,
    }
    asset = Asset.model_validate(row | _UNMEASURED | dict(measured) | facts | {"cut": cut})
    if asset.role == "background" and not has_ground(asset.horizon):
        return asset.model_copy(update={"support": "air"})
    return asset


def _alpha_from(source: Source, file: FetchedFile) -> str:
    if source.kind == "procedural":
        return "render"
    if source.role == "photograph" or source.kind == "diffusers":
        return "matte"
    return "annotation" if file.part and source.role == "foreground" else "file"


def _metres(source: Source, relative: str) -> float:
    named = [metres for glob, metres in source.long_sides_m.items() if matches(relative, (glob,))]
    return named[-1] if named else source.long_side_m or 0.0


def _caption(file: FetchedFile) -> tuple[str, str]:
    """Caption and where it is from: the metadata, the first line of a text file beside the picture, the name."""
    if file.caption:
        return file.caption, "source"
    beside = file.path.with_suffix(".txt")
    if beside.is_file():
        lines = beside.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines and lines[0].strip():
            return lines[0].strip().rstrip("."), "source"
    return " ".join(file.path.stem.replace("_", " ").replace("-", " ").split()), "name"
