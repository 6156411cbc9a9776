"""Checks of a sample's JSON: schema, index row, recipe, assets, licences."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_args, get_origin

import orjson
from license_expression import ExpressionError
from pydantic import ValidationError

from pipeline.assets import Asset
from pipeline.licenses import allowed, together
from pipeline.manifest import Manifest
from pipeline.schema import LayerMeta, SampleMeta
from stages.types import Frozen, Recipe

_DEPTH = ("background", "behind", "target", "front")
_COPIED = ("sha256", "source", "origin", "whole", "license", "attribution", "uri", "caption")


def parse(data: bytes) -> SampleMeta | list[str]:
    """The JSON of a sample, or what is wrong with its keys and types as a Hub loader would see them."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return [f"not JSON: {error}"]
    faults = _model_faults(value, SampleMeta, "")
    if faults:
        return faults
    try:
        return SampleMeta.model_validate(value)
    except ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]


def _model_faults(value: Any, model: type[Frozen], where: str) -> list[str]:
    if not isinstance(value, dict) or list(value) != list(model.model_fields):
        keys = list(value) if isinstance(value, dict) else type(value).__name__
        missing = [k for k in model.model_fields if k not in keys]
        return [f"{where or 'JSON'}: keys are {keys}, missing {missing}; must be {list(model.model_fields)}"]
    fields = model.model_fields.items()
    return [fault for name, f in fields for fault in _faults(value[name], f.annotation, f"{where}{name}")]


def _faults(value: Any, wanted: Any, where: str) -> list[str]:
    if get_origin(wanted) is tuple:
        kind = get_args(wanted)[0]
        if not isinstance(value, list) or not value:
            return [f"{where}: is {value!r}, must be a list that is not empty"]
        return [fault for k, item in enumerate(value) for fault in _faults(item, kind, f"{where}[{k}]")]
    if isinstance(wanted, type) and issubclass(wanted, Frozen):
        return _model_faults(value, wanted, f"{where}.")
    if type(value) is not wanted:  # exactly: 1 is no float, true is no int
        return [f"{where}: is {value!r}, must be {wanted.__name__}"]
    return []


def row_differences(meta: SampleMeta, row: Mapping[str, Any]) -> list[str]:
    """Where the JSON and its row of the index differ."""
    plain = orjson.loads(orjson.dumps(meta.model_dump()))
    return [f"{k}: JSON {v!r}, index {row.get(k)!r}" for k, v in plain.items() if row.get(k) != v]


def consistency(meta: SampleMeta, manifest: Manifest, assets: Mapping[str, Asset]) -> list[str]:
    """Where JSON, recipe, manifest and asset table contradict each other."""
    try:
        recipe = Recipe.model_validate_json(meta.recipe)
    except ValidationError as error:
        return [f"recipe: {len(error.errors())} errors, first {error.errors()[0]['loc']}: {error.errors()[0]['msg']}"]
    roles = [layer.role for layer in meta.layers]
    if roles.count("target") != 1 or roles[0] != "background" or set(roles[1:]) - set(_DEPTH[1:]):
        return [f"roles of layers are {roles}: must be one background, then objects, one of them the target"]
    depth = [_DEPTH.index(role) for role in roles]
    out = [f"layers are not in depth order: {roles}"] if depth != sorted(depth) else []
    out += [f"{k} is {a!r}, must be {b!r}" for k, (a, b) in _claims(meta, recipe, manifest).items() if a != b]
    return out + [fault for layer in meta.layers for fault in _layer_faults(layer, assets)]


def _claims(meta: SampleMeta, recipe: Recipe, manifest: Manifest) -> dict[str, tuple[object, object]]:
    layers = meta.layers
    target = next(layer for layer in layers if layer.role == "target")
    objects = [(o.asset, o.role, o.shadow is not None) for o in recipe.objects]
    return {
        "size": (meta.size, manifest.size),
        "seed": (meta.seed, manifest.seed),
        "recipe.size": (recipe.size, manifest.size),
        "recipe.plate": (recipe.plate.asset, layers[0].asset),
        "recipe.objects": (objects, [(v.asset, v.role, v.shadow) for v in layers[1:]]),
        "num_objects": (meta.num_objects, len(layers) - 1),
        "target": (meta.target, target.asset),
        "caption": (meta.caption, target.caption),
        "origin": (meta.origin, target.origin),
        "whole": (meta.whole, target.whole),
        "shadow": (meta.shadow, target.shadow),
        "license": (meta.license, together(v.license for v in layers)),
        "occluded": (meta.occluded, recipe.occlusion is not None),
        "asked_visible_fraction": (meta.asked_visible_fraction, recipe.occlusion.visible if recipe.occlusion else 1.0),
        "mask_kind": (meta.mask_kind, recipe.mask.kind),
        "mask_strength": (meta.mask_strength, recipe.mask.strength),
    }


def _layer_faults(layer: LayerMeta, assets: Mapping[str, Asset]) -> list[str]:
    asset = assets.get(layer.asset)
    if asset is None:
        return [f"asset {layer.asset} is not in the asset table"]
    pairs = ((name, getattr(layer, name), getattr(asset, name)) for name in _COPIED)
    return [f"{name} of {layer.asset} is {a!r}, the asset table says {b!r}" for name, a, b in pairs if a != b]


def leaks(meta: SampleMeta, assets: Mapping[str, Asset]) -> list[str]:
    """Layers whose asset belongs to another split than the sample."""
    found = [(layer.asset, assets[layer.asset].split) for layer in meta.layers if layer.asset in assets]
    return [f"asset {name} belongs to split '{split}'" for name, split in found if split != meta.split]


def refused(meta: SampleMeta, manifest: Manifest) -> list[str]:
    """Layers whose licence the manifest does not allow."""
    bad = [layer for layer in meta.layers if not _allowed(layer.license, manifest.licenses)]
    return [f"license '{v.license}' of {v.asset} is not in licenses = [{', '.join(manifest.licenses)}]" for v in bad]


@lru_cache(maxsize=4096)
def _allowed(text: str, allow: tuple[str, ...]) -> bool:
    try:
        return allowed(text, allow)
    except ExpressionError:
        return False
