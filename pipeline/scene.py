"""The scene that a sample is asked to be, drawn once for all attempts at its layout."""

from typing import NamedTuple

import numpy as np

from pipeline.manifest import Manifest
from stages.masks import NUM_JITTER
from stages.place import draw_area
from stages.rng import generator
from stages.types import MaskDraw


class Scene(NamedTuple):
    """What a sample is asked to be, whatever its layout.

    `visible` is the share of the target that shows, 1 where nothing occludes it; `area` the share of the canvas
    that the target covers, hidden parts included; `air` whether it should be one that flies.
    """

    num_objects: int
    visible: float
    area: float
    real: bool
    shadow: bool
    air: bool
    mask: MaskDraw

    @property
    def occluded(self) -> bool:
        """Whether an object in front of the target hides a part of it."""
        return self.visible < 1.0


def draw_scene(m: Manifest, split: str, index: int) -> Scene:
    """The scene of sample `index` of `split`: a function of the manifest's seed and knobs alone."""
    rng = generator(m.seed, f"{split}/scene", index)
    occluded = bool(rng.random() < _occluded_share(m, index))
    visible = min(float(rng.uniform(*m.occlusion.visible)), 0.999) if occluded else 1.0
    shadow = bool(rng.random() < m.shadow.fraction)
    return Scene(
        num_objects=_count(rng, m, occluded),
        visible=visible,
        area=draw_area(rng, m.objects.area_median, m.objects.area_sigma, m.objects.area_bounds),
        real=bool(rng.random() < m.objects.real_fraction),
        shadow=shadow,
        air=bool(rng.random() < m.objects.air_fraction) and not shadow,  # what flies throws none
        mask=_mask(rng, m),
    )


def _occluded_share(m: Manifest, index: int) -> float:
    """Of scenes at that place. Where they are paired, the place after an occluded scene is its twin's, so odd ones
    draw none; to the even ones that gives a share p with p / (2 - p) = `fraction` of all scenes but twins."""
    share = m.occlusion.fraction
    if not m.paired:
        return share
    return 0.0 if index % 2 else 2 * share / (1 + share)


def _count(rng: np.random.Generator, m: Manifest, occluded: bool) -> int:
    # Occluded scenes have two objects or more, so the single ones are all among the rest.
    single = 0.0 if occluded else m.objects.share("1") / max(1 - m.occlusion.fraction, 1e-9)
    two, three = m.objects.share("2"), m.objects.share("3")
    if rng.random() < single or two + three == 0:
        return 1
    return 2 if rng.random() < two / (two + three) else 3


def _mask(rng: np.random.Generator, m: Manifest) -> MaskDraw:
    kinds = sorted(m.mask.weights)
    weights = np.array([m.mask.weights[k] for k in kinds])
    kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
    strength = float(rng.uniform(*m.mask.strength))
    return MaskDraw(kind=kind, strength=strength, jitter=tuple(float(v) for v in rng.random(NUM_JITTER)))
