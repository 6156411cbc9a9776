"""The JSON of a sample: the same keys and types in every one.

Hub loaders infer the types from the first samples and drop or truncate what differs later, so: floats are always
written as floats, strings are never null, lists never empty, and the recipe is one string.
"""

from stages.types import Frozen


class LayerMeta(Frozen):
    """One asset in a scene, in depth order, the plate first. `affine` maps asset to canvas pixels, row-major 2x3."""

    role: str
    asset: str
    sha256: str
    source: str
    origin: str
    whole: bool
    license: str
    attribution: str
    uri: str
    caption: str
    shadow: bool
    affine: tuple[float, float, float, float, float, float]


class SampleMeta(Frozen):
    """Metadata of a sample. Fractions are in [0, 1]; `pair` is the partner's key or empty."""

    key: str
    index: int
    split: str
    seed: int
    attempt: int
    pair: str
    size: int
    caption: str
    num_objects: int
    target: str
    origin: str
    whole: bool
    license: str
    area_fraction: float
    asked_visible_fraction: float
    visible_fraction: float
    occlusion_rate: float
    occluded: bool
    shadow: bool
    mask_kind: str
    mask_strength: float
    mask_iou: float
    layers: tuple[LayerMeta, ...]
    recipe: str
