"""Cut: photographs, annotated pictures and generated ones become cut-outs, by a matte or by an annotation.

What `pipeline.measure` does for files that are cut out already; the cache of such assets is keyed by this module.
"""

import numpy as np

from pipeline.manifest import MatteKnobs
from pipeline.measure import MAX_PIXELS, Measured, measure_background, measure_cutout, refusal
from pipeline.sources.common import Part
from stages.decode import DecodeError, decode_image
from stages.matte import Matter, cut_out
from stages.types import F32, U8, Rejected
from stages.whole import wholeness

# Ready-made cut-outs are trimmed, so that only a long run along an edge is a cut. In a photograph any contact is one.
_CONTACT = 0.02


def measure_photograph(data: bytes, name: str, canvas: int, matter: Matter, knobs: MatteKnobs) -> Measured | Rejected:
    """Decode a photograph, cut its object out, and measure that as `measure_cutout` does.

    `matter` finds the object. Rejected with the decoder's reasons and those of `stages.matte.cut_out`.
    """
    try:
        rgb = decode_image(data, name=name, max_pixels=MAX_PIXELS, want="rgb")
    except DecodeError as error:
        return refusal(error, name)
    return _cut(rgb, matter.alpha(rgb), canvas, knobs)


def measure_part(part: Part, data: bytes, name: str, canvas: int, role: str, knobs: MatteKnobs) -> Measured | Rejected:
    """Take an asset out of an annotated picture and measure it; the edge of a rough mask is refined first."""
    try:
        pixels = part.pixels(data, name)
    except DecodeError as error:
        return refusal(error, name)
    if role == "background":
        return measure_background(pixels, canvas)
    if part.rough:
        return _cut(pixels[..., :3], _share(pixels[..., 3]), canvas, knobs, rough=True)
    return measure_cutout(pixels, canvas, cut_run=_CONTACT, fringed=False)


def measure_drawing(picture: U8, canvas: int, matter: Matter, knobs: MatteKnobs) -> Measured | Rejected:
    """Measure a generated object if it is whole: (h, w, 3) is cut out of its plain ground, (h, w, 4) as drawn."""
    given = picture.shape[2] == 4
    alpha = _share(picture[..., 3]) if given else matter.alpha(picture)
    whole = wholeness(picture if given else np.dstack([picture, np.rint(alpha * 255).astype(np.uint8)]))
    if not whole.ok:
        return Rejected(whole.reason, whole.detail)
    if given:
        return measure_cutout(picture, canvas, cut_run=_CONTACT, fringed=False)
    return _cut(picture, alpha, canvas, knobs)


def _cut(rgb: U8, alpha: F32, canvas: int, knobs: MatteKnobs, rough: bool = False) -> Measured | Rejected:
    rgba = cut_out(rgb, alpha, long_side=canvas, refine=knobs.refine, foreground=knobs.foreground, rough=rough)
    if isinstance(rgba, Rejected):
        return rgba
    return measure_cutout(rgba, canvas, cut_run=_CONTACT, fringed=False)


def _share(levels: U8) -> F32:
    return levels.astype(np.float32) / np.float32(255)
