"""Layout: draw assets for a scene and put them on the canvas."""

import math

import numpy as np

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from pipeline.pools import LONGEST, Pools
from pipeline.scene import Scene
from stages import geometry, place
from stages.place import Footing
from stages.types import Occlusion, Placement, Plate, Rejected, Role

_PICKS = 12  # draws of an asset before the layout is given up


class Layout:
    """One attempt at placing a scene. After `draw`, `plate` and `occlusion` complete its objects.

    `strict` puts only things of like size together and a flying target where asked; a split with few assets may have
    to do without.
    """

    plate: Plate
    occlusion: Occlusion | None = None

    def __init__(self, m: Manifest, pools: Pools, rng: np.random.Generator, scene: Scene, strict: bool) -> None:
        self._m, self._rng, self._pools, self._scene, self._strict = m, rng, pools, scene, strict
        self._target = pools.target(rng, scene, strict)
        self._grounded = self._target.support == "ground"
        self._photo = photo = pools.background(rng, self._target)
        self.plate, self._horizon = place.draw_plate(
            rng, photo.id, (photo.height, photo.width), m.size, photo.horizon, self._grounded
        )
        self._surface = place.is_surface(photo.horizon)
        self._shadow = place.draw_shadow(rng, m.shadow.density, self._surface) if scene.shadow else None

    def draw(self) -> tuple[Placement, ...] | Rejected:
        """Place the target, its occluder where the scene asks for one, and the other objects."""
        target = self._place_target()
        if isinstance(target, Rejected):
            return target
        placed = [target]
        occluder: Placement | None = None
        if self._scene.occluded:
            found = self._place_occluder(target, self._scene.visible)
            if isinstance(found, Rejected):
                return found
            placed.append(occluder := found)
        for _ in range(self._scene.num_objects - len(placed)):
            beside = self._place_beside(target)
            if isinstance(beside, Rejected):
                return beside
            placed.append(beside)
        placed.sort(key=lambda p: ("behind", "target", "front").index(p.role) * 1e6 + p.y)
        if occluder is not None:
            self.occlusion = self._slide(placed.index(occluder), self._scene.visible)
        return tuple(placed)

    def _place_target(self) -> Placement | Rejected:
        m, rng, asset = self._m, self._rng, self._target
        turn = self._rotation(asset)
        fit = LONGEST * m.size / max(geometry.box_size(asset.width, asset.height, 1.0, turn))
        scale = min(m.size * math.sqrt(self._scene.area / asset.area_px), m.objects.max_upscale, fit)
        if asset.area_px * scale**2 < m.objects.area_bounds[0] * m.size**2:
            return Rejected("asset_too_small", f"{asset.id} covers under {m.objects.area_bounds[0]} of the canvas")
        box = geometry.box_size(asset.width, asset.height, scale, turn)
        footing = self._footing(asset, box)
        if not asset.cut and rng.random() < m.objects.cropped_fraction:
            footing = place.crop_sideways(rng, footing, box[0], m.size)
        return self._placement(asset, "target", scale, turn, footing)

    def _place_occluder(self, target: Placement, visible: float) -> Placement | Rejected:
        m, rng = self._m, self._rng
        hidden = (1 - visible) * self._target.area_px * target.scale**2
        down = rng.uniform(0.01, 0.10) * m.size if self._grounded else 0.0
        for _ in range(_PICKS):
            asset = self._companion()
            if asset is None:
                return Rejected("no_companion", f"nothing of like size goes with {self._target.id}")
            turn = self._rotation(asset)
            least = math.sqrt(hidden * 1.7 / asset.area_px)
            scale = max(least, self._scale_beside(asset, target, target.y + down))
            if scale <= m.objects.max_upscale:
                footing = Footing(0.5, target.anchor_y, self._centre_x(target), target.y + down)
                return self._placement(asset, "front", scale, turn, footing)
        return Rejected("no_occluder", f"none of {_PICKS} drawn can hide {1 - visible:.2f} of {self._target.id}")

    def _companion(self) -> Asset | None:
        return self._pools.companion(self._rng, self._target, self._photo, self._strict)

    def _place_beside(self, target: Placement) -> Placement | Rejected:
        asset = self._companion()
        if asset is None:
            return Rejected("no_companion", f"nothing of like size goes with {self._target.id}")
        turn = self._rotation(asset)
        box = geometry.box_size(asset.width, asset.height, self._scale_beside(asset, target, target.y), turn)
        footing = self._footing(asset, box)
        if self._grounded and not self._surface:
            # Mostly behind. In front it must miss the target, or `render` rejects the layout.
            back = self._rng.random() < 0.75
            low = max(0.0, self._horizon) + 0.08 * self._m.size
            nearest = max(target.y, min(target.y + 0.08 * self._m.size, 0.985 * self._m.size))
            span = (min(low, target.y), target.y) if back else (target.y, nearest)
            footing = footing._replace(y=float(self._rng.uniform(*span)))
        role: Role = "front" if footing.y > target.y and self._grounded and not self._surface else "behind"
        return self._placement(asset, role, self._scale_beside(asset, target, footing.y), turn, footing)

    def _slide(self, slider: int, visible: float) -> Occlusion:
        turn = self._rng.uniform(0, 2 * math.pi)
        sideways = (1.0 if turn < math.pi else -1.0, 0.0)
        free = (math.cos(turn), math.sin(turn))
        dx, dy = free if not self._grounded or self._surface else sideways
        return Occlusion(slider=slider, dx=dx, dy=dy, visible=visible, tolerance=self._m.occlusion.tolerance)

    def _footing(self, asset: Asset, box: tuple[float, float]) -> Footing:
        if asset.support == "air" and not self._grounded:
            return place.hover(self._rng, box, self._m.size)
        if self._surface:
            return place.lie(self._rng, box, self._m.size)
        return place.stand(self._rng, box, self._horizon, self._m.size)

    def _placement(self, asset: Asset, role: Role, scale: float, turn: float, footing: Footing) -> Placement:
        flip = self._flip(asset)
        if asset.cut:
            footing = place.against_border(asset.cut, flip, footing, self._m.size)
        stands = asset.support == "ground" and self._grounded and not asset.cut
        return Placement(
            asset=asset.id,
            role=role,
            scale=float(scale),
            rotation=turn,
            flip=flip,
            **footing._asdict(),
            harmonize=float(self._rng.uniform(*self._m.harmonize)),
            shadow=self._shadow if stands else None,
        )

    def _flip(self, asset: Asset) -> bool:
        flip = bool(self._rng.random() < 0.5)
        if self._shadow is not None and asset.light_x * self._shadow.shear != 0:
            return asset.light_x * self._shadow.shear > 0  # a shadow falls away from the light
        return flip

    def _rotation(self, asset: Asset) -> float:
        m = self._m.objects
        spread = m.rotation_air if asset.support == "air" else m.rotation_ground
        turn = float(self._rng.uniform(-spread, spread))
        return 0.0 if asset.cut else turn

    def _scale_beside(self, asset: Asset, target: Placement, foot_y: float) -> float:
        own = max(self._target.width, self._target.height) * target.scale
        if asset.long_side_m and self._target.long_side_m:
            ratio = math.sqrt(asset.long_side_m / self._target.long_side_m)  # halfway: cut-outs are no survey
        else:
            ratio = math.exp(0.3 * float(self._rng.standard_normal()))
        if self._grounded and not self._surface:
            ratio *= place.perspective(foot_y, target.y, self._horizon)
        longest = min(own * ratio, 0.9 * self._m.size)
        return min(longest / max(asset.width, asset.height), self._m.objects.max_upscale)

    def _centre_x(self, target: Placement) -> float:
        return target.x + (0.5 - target.anchor_x) * self._target.width * target.scale
