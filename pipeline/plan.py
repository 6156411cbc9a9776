"""Plan: manifest + assets + seed + index -> Recipe. All randomness of a build ends here; no pixels are read.

What a scene *is* (`Scene`: how many objects, occluded or not and by how much, shadow, real or generated) comes
from a stream that does not know the attempt, so that rejected layouts cannot skew the asked distributions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.assets import Asset
from pipeline.layout import Layout, Pools
from pipeline.manifest import Manifest
from stages.masks import NUM_JITTER
from stages.rng import generator
from stages.types import MaskDraw, Recipe, Rejected


class Scene(NamedTuple):
    """What a sample is asked to be, whatever its layout. `visible` is 1 where nothing occludes the target."""

    num_objects: int
    visible: float
    real: bool
    shadow: bool
    mask: MaskDraw

    @property
    def occluded(self) -> bool:
        """Whether an object in front of the target hides a part of it."""
        return self.visible < 1.0


class Planner:
    """Plans the samples of one split. Cheap to pickle: asset rows, no pixels."""

    def __init__(self, manifest: Manifest, assets: Sequence[Asset], split: str) -> None:
        self.manifest = manifest
        self.split = split
        self.pools = Pools([a for a in assets if a.split == split])

    def scene(self, index: int) -> Scene:
        """What sample `index` is asked to be."""
        m = self.manifest
        rng = generator(m.seed, f"{self.split}/scene", index)
        occluded = bool(rng.random() < m.occlusion.fraction)
        visible = float(rng.uniform(*m.occlusion.visible)) if occluded else 1.0
        real = bool(rng.random() < m.objects.real_fraction)
        shadow = bool(rng.random() < m.shadow.fraction)
        return Scene(_count(rng, m, occluded), min(visible, 0.999) if occluded else 1.0, real, shadow, _mask(rng, m))

    def plan(self, index: int, attempt: int = 0) -> Recipe | Rejected:
        """The recipe for sample `index`; another `attempt` lays the same scene out anew.

        Returns:
            A `Recipe`, or `Rejected` with reason `asset_too_small` or `no_occluder`.
        """
        scene = self.scene(index)
        rng = generator(self.manifest.seed, f"{self.split}/layout", index, attempt)
        layout = Layout(self.manifest, self.pools, rng, scene.real, scene.shadow)
        objects = layout.draw(scene.num_objects, scene.visible)
        if isinstance(objects, Rejected):
            return objects
        size = self.manifest.size
        return Recipe(
            size=size,
            plate=layout.plate,
            objects=objects,
            occlusion=layout.occlusion,
            mask=scene.mask,
            min_area=self.manifest.objects.area_bounds[0] / 2,
            min_visible_px=max(16, size * size // 2000),
        )


def unoccluded(recipe: Recipe) -> Recipe:
    """The same scene without what is in front of the target (`paired = true`)."""
    objects = tuple(o for o in recipe.objects if o.role != "front")
    return recipe.model_copy(update={"objects": objects, "occlusion": None})


def _count(rng: np.random.Generator, m: Manifest, occluded: bool) -> int:
    # Occluded scenes have two objects or more, so the single ones are all among the rest.
    single = 0.0 if occluded else m.objects.share("1") / (1 - m.occlusion.fraction)
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
