"""Judge: whether a prepared asset is good enough, by the manifest's knobs; else the reason."""

import math

from pipeline.assets import Asset
from pipeline.manifest import QualityKnobs
from stages.types import Rejected


def judge(asset: Asset, knobs: QualityKnobs, canvas: int) -> Rejected | None:
    """Why an asset is not used in scenes of `canvas` pixels, None if it is. Figures and bounds are in the detail."""
    if asset.role == "background":
        return _background(asset, knobs, canvas)
    if asset.alpha_from != "render" and asset.flatness > knobs.max_flatness and asset.palette > knobs.max_palette:
        flat, few = _short(asset.flatness), _short(asset.palette)
        limits = f"{_short(knobs.max_flatness)} and {_short(knobs.max_palette)}"
        return Rejected("drawing", f"{flat} of neighbours equal and {few} in 8 colours, at most {limits}")
    for reason, what, value, bound, is_most in _limits(asset, knobs):
        if (value > bound) if is_most else (value < bound):
            return Rejected(reason, f"{what} {_short(value)}, {'at most' if is_most else 'at least'} {_short(bound)}")
    if {"l", "r"} <= set(asset.cut) or {"t", "b"} <= set(asset.cut):
        return Rejected("cut_on_opposite_sides", f"cut at {asset.cut}")
    return None


def _limits(a: Asset, k: QualityKnobs) -> list[tuple[str, str, float, float, bool]]:
    """(reason, what is measured, value, bound, whether it is an upper bound) of a foreground."""
    limits = [
        ("too_small", "long side", max(a.width, a.height), k.min_long_side, False),
        ("thin_coverage", "share of its box", a.coverage, k.min_coverage, False),
        ("too_soft", "semi-transparent share", a.soft_share, k.max_soft_share, True),
        ("fragmented", "main part", a.main_component, k.min_main_component, False),
    ]
    if a.alpha_from != "render":  # rendered objects are smooth, some are black, and none is a drawing or a letter
        limits += [
            ("badly_exposed", "share of black and white", a.clipped, k.max_clipped, True),
            ("blurred", "sharpness", a.sharpness, k.min_sharpness, False),
            ("text_like", "likeness to text", a.text_like, k.max_text_like, True),
        ]
    return limits


def _background(asset: Asset, knobs: QualityKnobs, canvas: int) -> Rejected | None:
    least = knobs.min_background_side or math.ceil(canvas / 1.25)
    side = min(asset.width, asset.height)
    return Rejected("too_small", f"short side {side} px, at least {least}") if side < least else None


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else f"{value} px"
