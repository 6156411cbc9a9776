"""Pools: the assets of a split by what they can be, for draws that cost the same however many there are."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from pipeline.scene import Scene

LONGEST = 0.94  # of the canvas: the longest side of a target
_NEAR_SIZE = 4.0  # companions are at most this many times longer or shorter, in metres
_TRIES = 64  # draws before a pool is searched through


class Pools:
    """The assets of one split, in table order; foregrounds by how much of the canvas they can cover."""

    def __init__(self, assets: Sequence[Asset], m: Manifest) -> None:
        self.backgrounds = [a for a in assets if a.role == "background"]
        self._ground = [a for a in self.backgrounds if a.support == "ground"] or self.backgrounds
        self.foregrounds = [a for a in assets if a.role == "foreground"]
        self._manifest = m
        by_reach = sorted(self.foregrounds, key=lambda a: (reach(a, m), a.id))
        self._targets = {(r, g): _targets(by_reach, r, g) for r in (False, True) for g in (False, True)}
        self._support = {s: [a for a in self.foregrounds if a.support == s] for s in ("ground", "air")}

    def targets(self, real: bool, grounded: bool) -> list[Asset]:
        """Foregrounds of that origin by reach; with a shadow to throw (`grounded`) only whole ones that stand."""
        return self._targets[real, grounded]

    def target(self, rng: np.random.Generator, scene: Scene, strict: bool) -> Asset:
        """One that covers the scene's area without being enlarged too much; if `strict`, flying as it asks."""
        pool = self.targets(scene.real, scene.shadow)
        asked = scene.area * self._manifest.size**2
        first = bisect_left(pool, asked, key=lambda a: reach(a, self._manifest))
        first = min(first, len(pool) - max(1, len(pool) // 8))  # none reaches: one of the largest
        return draw(rng, pool[first:] if first else pool, lambda a: not strict or (a.support == "air") == scene.air)

    def background(self, rng: np.random.Generator, target: Asset) -> Asset:
        """One with ground for what stands, at its scale: no elephant on a leaf, no giant cherry on a hill.

        Not the photograph that the target was cut out of, where there is any other.
        """
        pool = self._ground if target.support == "ground" else self.backgrounds
        found = find(rng, pool, lambda b: apart(b, target) and fits(b, target))
        return found or draw(rng, pool, lambda b: apart(b, target))

    def companion(self, rng: np.random.Generator, target: Asset, photo: Asset, strict: bool) -> Asset | None:
        """Another whole thing that stands or flies as the target does; if `strict`, of like size; None if none is.

        A thing that its photograph's edge cut would show that edge wherever it does not touch the border.
        """
        own = target.long_side_m

        def near(a: Asset) -> bool:
            return not own or not a.long_side_m or max(own / a.long_side_m, a.long_side_m / own) <= _NEAR_SIZE

        def usable(a: Asset) -> bool:
            return a.id != target.id and not a.cut and apart(photo, a)

        if strict:
            return find(rng, self._support[target.support], lambda a: usable(a) and near(a) and fits(photo, a))
        return find(rng, self._support[target.support], usable) or find(rng, self.foregrounds, usable)


def find(rng: np.random.Generator, pool: Sequence[Asset], ok: Callable[[Asset], bool]) -> Asset | None:
    """One of those that are `ok`, all alike; None where none is."""
    for _ in range(_TRIES if pool else 0):
        asset = pool[int(rng.integers(len(pool)))]
        if ok(asset):
            return asset
    rest = [a for a in pool if ok(a)]
    return rest[int(rng.integers(len(rest)))] if rest else None


def draw(rng: np.random.Generator, pool: Sequence[Asset], ok: Callable[[Asset], bool]) -> Asset:
    """As `find`; one of all where none is `ok`."""
    return find(rng, pool, ok) or pool[int(rng.integers(len(pool)))]


def reach(asset: Asset, m: Manifest) -> float:
    """Canvas pixels that an asset can cover, unturned."""
    scale = min(m.objects.max_upscale, LONGEST * m.size / max(asset.width, asset.height))
    return asset.area_px * scale**2


def fits(background: Asset, thing: Asset) -> bool:
    """Whether a thing is neither too small nor too large, in metres, for what a photograph shows."""
    length = thing.long_side_m
    return not length or background.min_object_m <= length <= (background.max_object_m or math.inf)


def apart(a: Asset, b: Asset) -> bool:
    """Whether two assets do not come from one photograph: a scene must not show a thing beside its own picture."""
    return not a.photo or a.photo != b.photo


def _targets(by_reach: Sequence[Asset], real: bool, grounded: bool) -> list[Asset]:
    pool = [a for a in by_reach if (a.origin == "real") == real]
    return [a for a in pool if a.support == "ground" and not a.cut] if grounded else pool
