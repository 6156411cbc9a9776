"""Plan: manifest + assets + seed + index -> Recipe. All randomness of a build ends here; no pixels are read.

What a scene *is* (`Scene`) comes from a stream that does not know the attempt, so that rejected layouts cannot
skew the asked distributions.
"""

from collections.abc import Sequence

from pipeline.assets import Asset
from pipeline.layout import Layout
from pipeline.manifest import Manifest
from pipeline.pools import Pools
from pipeline.scene import Scene, draw_scene
from stages.rng import generator
from stages.types import Recipe, Rejected

_STRICT = 10  # attempts that insist on things of like size


class Planner:
    """Plans the samples of one split. Cheap to pickle: asset rows, no pixels."""

    def __init__(self, manifest: Manifest, assets: Sequence[Asset], split: str) -> None:
        self.manifest = manifest
        self.split = split
        self.pools = Pools([a for a in assets if a.split == split], manifest)

    def scene(self, index: int) -> Scene:
        """What sample `index` is asked to be."""
        return draw_scene(self.manifest, self.split, index)

    def plan(self, index: int, attempt: int = 0) -> Recipe | Rejected:
        """The recipe for sample `index`; another `attempt` lays the same scene out anew.

        Returns:
            A `Recipe`, or `Rejected` with reason `asset_too_small`, `no_companion` or `no_occluder`.
        """
        scene = self.scene(index)
        rng = generator(self.manifest.seed, f"{self.split}/layout", index, attempt)
        layout = Layout(self.manifest, self.pools, rng, scene, strict=attempt < _STRICT)
        objects = layout.draw()
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
