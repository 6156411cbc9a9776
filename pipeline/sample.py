"""One sample: plan, render, redraw what is rejected, encode."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.assets import Asset, Store
from pipeline.licenses import together
from pipeline.manifest import Manifest
from pipeline.plan import Planner, unoccluded
from pipeline.schema import LayerMeta, SampleMeta
from pipeline.shards import ShardError, sample_key
from stages.codec import encode_png
from stages.composite import Pixels, render
from stages.types import U8, Plate, Recipe, Rejected, Sample

_CACHE_BYTES = 384 << 20


class PixelCache:
    """Decoded assets of this process, least recently used out first; at most 384 MiB."""

    def __init__(self, store: Store, assets: dict[str, Asset]) -> None:
        self._store, self._assets = store, assets
        self._held: OrderedDict[str, U8] = OrderedDict()
        self._bytes = 0

    def __call__(self, asset_id: str) -> U8:
        """Pixels of an asset, not to be written to."""
        if asset_id in self._held:
            self._held.move_to_end(asset_id)
            return self._held[asset_id]
        pixels = self._store.pixels(self._assets[asset_id].sha256)
        pixels.flags.writeable = False
        self._held[asset_id] = pixels
        self._bytes += pixels.nbytes
        while self._bytes > _CACHE_BYTES and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return pixels


class Made(NamedTuple):
    """A rendered sample, its metadata, and how many layouts were rejected before, by reason."""

    sample: Sample
    meta: SampleMeta
    rejects: Counter[str]


class Maker:
    """Makes the samples of one build, any of them at any time."""

    def __init__(self, manifest: Manifest, assets: Sequence[Asset], store: Path) -> None:
        self.manifest = manifest
        self.assets = {a.id: a for a in assets}
        self.planners = {s: Planner(manifest, assets, s) for s, _ in manifest.splits.items()}
        self.pixels: Pixels = PixelCache(Store(store), self.assets)

    def make(self, split: str, index: int) -> Made:
        """Sample `index` of `split`.

        Raises:
            ShardError: no layout was accepted in `max_attempts`; the text counts the reasons.
        """
        if self.manifest.paired and index % 2:
            scene = self.planners[split].scene(index - 1)
            if scene.occluded:
                return self._partner(split, index)
        return self._attempt(split, index)

    def _attempt(self, split: str, index: int) -> Made:
        rejects: Counter[str] = Counter()
        for attempt in range(self.manifest.max_attempts):
            recipe = self.planners[split].plan(index, attempt)
            result = recipe if isinstance(recipe, Rejected) else render(recipe, self.pixels)
            if isinstance(result, Rejected):
                rejects[result.reason] += 1
                continue
            assert isinstance(recipe, Recipe)
            return Made(result, self._meta(split, index, attempt, recipe, result), rejects)
        reasons = ", ".join(f"{n} {r}" for r, n in rejects.most_common())
        raise ShardError(
            f"{sample_key(split, index)}: no layout accepted in max_attempts = {self.manifest.max_attempts} ({reasons})"
        )

    def _partner(self, split: str, index: int) -> Made:
        first = self._attempt(split, index - 1)
        recipe = unoccluded(Recipe.model_validate_json(first.meta.recipe))
        result = render(recipe, self.pixels)
        assert isinstance(result, Sample), f"the unoccluded twin of an accepted scene was rejected: {result}"
        return Made(result, self._meta(split, index, first.meta.attempt, recipe, result), Counter())

    def _pair(self, split: str, index: int) -> str:
        occluded = self.manifest.paired and self.planners[split].scene(index - index % 2).occluded
        return sample_key(split, index ^ 1) if occluded else ""

    def _meta(self, split: str, index: int, attempt: int, recipe: Recipe, sample: Sample) -> SampleMeta:
        target = next(o for o in recipe.objects if o.role == "target")
        asset = self.assets[target.asset]
        layers = self.layers(recipe, sample)
        return SampleMeta(
            key=sample_key(split, index),
            index=index,
            split=split,
            seed=self.manifest.seed,
            attempt=attempt,
            pair=self._pair(split, index),
            size=recipe.size,
            caption=asset.caption,
            num_objects=len(recipe.objects),
            target=asset.id,
            origin=asset.origin,
            whole=asset.whole,
            license=together(layer.license for layer in layers),
            area_fraction=sample.area,
            asked_visible_fraction=recipe.occlusion.visible if recipe.occlusion else 1.0,
            visible_fraction=sample.visible,
            occlusion_rate=1.0 - sample.visible,
            occluded=recipe.occlusion is not None,
            shadow=target.shadow is not None,
            mask_kind=recipe.mask.kind,
            mask_strength=recipe.mask.strength,
            mask_iou=sample.mask_iou,
            layers=layers,
            recipe=recipe.model_dump_json(),
        )

    def layers(self, recipe: Recipe, sample: Sample) -> tuple[LayerMeta, ...]:
        """The plate and the objects of a scene as metadata, farthest first."""
        plate = self._layer(recipe.plate.asset, "background", False, plate_affine(recipe.plate, recipe.size))
        placed = zip(recipe.objects, sample.affines, strict=True)
        return (plate, *(self._layer(o.asset, o.role, o.shadow is not None, affine) for o, affine in placed))

    def _layer(self, asset_id: str, role: str, shadow: bool, affine: tuple[float, ...]) -> LayerMeta:
        a = self.assets[asset_id]
        copied = {k: getattr(a, k) for k in ("sha256", "source", "origin", "whole", "license", "attribution", "uri")}
        return LayerMeta.model_validate(
            {"role": role, "asset": a.id, "caption": a.caption, "shadow": shadow, "affine": affine, **copied}
        )


def plate_affine(plate: Plate, size: int) -> tuple[float, ...]:
    """Row-major 2x3 matrix from photograph to canvas pixels."""
    scale = size / plate.side
    if plate.flip:
        return (-scale, 0.0, scale * (plate.x + plate.side), 0.0, scale, -scale * plate.y)
    return (scale, 0.0, -scale * plate.x, 0.0, scale, -scale * plate.y)


def encode(made: Made) -> dict[str, bytes]:
    """The members of a sample as stored, in the contract's order."""
    s = made.sample
    images = (s.composite, s.background, s.foreground, s.shadow, s.occluder, s.mask)
    names = ("composite", "background", "foreground", "shadow", "occluder", "mask")
    members = {f"{name}.png": encode_png(image) for name, image in zip(names, images, strict=True)}
    return members | {"json": orjson.dumps(made.meta.model_dump())}
