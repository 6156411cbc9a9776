"""Procedural foregrounds: whole, shaded, textured 3-D objects with anti-aliased alpha, made from a seed."""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from stages.procedural import figures, furniture, machines, plants, tableware, toys, turned
from stages.procedural.program import Thing
from stages.procedural.scene import picture
from stages.rng import generator

_MODULES = (tableware, turned, plants, figures, toys, furniture, machines)
_MAKERS: MappingProxyType[str, Callable[[np.random.Generator], Thing]] = MappingProxyType(
    {maker.__name__: maker for module in _MODULES for maker in module.MAKERS}
)
FAMILIES: tuple[str, ...] = tuple(_MAKERS)
"""Names of the kinds of objects that `procedural` makes."""

MIN_SIZE = 16
"""Smallest `size`, in pixels, that `procedural` renders."""


class Generated(NamedTuple):
    """One object, cut to its alpha box.

    rgba is uint8 (h, w, 4), straight sRGB, RGB 0 where alpha 0. `light` is the unit vector towards the key light in
    camera space (right, up, towards the viewer) and `elevation` the camera's height above the horizon in degrees.
    """

    rgba: np.ndarray
    family: str
    caption: str
    light: tuple[float, float, float]
    elevation: float


def _caption(thing: Thing) -> str:
    """Finish, decoration and stuff of the main surface, and the noun; plain things do not say what they are made of."""
    words = " ".join(w for w in (*thing.materials[0].words[: 2 if thing.plain else 3], thing.noun) if w)
    return ("an " if words[0] in "aeiou" else "a ") + words


def _family(seed: int, index: int) -> str:
    """Every run of len(FAMILIES) indices holds each family once, in an order shuffled anew for each run."""
    cycle, place = divmod(index, len(FAMILIES))
    order = generator(seed, "procedural-families", cycle).permutation(len(FAMILIES))
    return FAMILIES[int(order[place])]


def _trimmed(rgba: np.ndarray) -> np.ndarray:
    rows, cols = np.flatnonzero(rgba[..., 3].any(1)), np.flatnonzero(rgba[..., 3].any(0))
    return np.ascontiguousarray(rgba[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])


def procedural(seed: int, index: int, size: int, family: str | None = None) -> Generated:
    """Object `index` of the stream `seed`; the long side of its picture is close to `size` pixels.

    `family` picks the kind of object; None goes through all of them evenly. The same arguments give the same bytes.
    Raises ValueError for an unknown family or a size under MIN_SIZE.
    """
    if family is not None and family not in _MAKERS:
        raise ValueError(f"family: {family!r} is not one of {', '.join(FAMILIES)}")
    if size < MIN_SIZE:
        raise ValueError(f"size: {size} is under the minimum of {MIN_SIZE} px")
    name = family or _family(seed, index)
    r = generator(seed, "procedural", index)
    thing = _MAKERS[name](r)
    rgba, view = picture(r, thing, size)
    return Generated(_trimmed(rgba), name, _caption(thing), view.key, view.elevation)
