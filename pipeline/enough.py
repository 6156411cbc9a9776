"""Enough: whether the assets of a build can make the scenes that its manifest asks for."""

from collections import Counter
from collections.abc import Sequence

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from pipeline.pools import Pools
from pipeline.prepare import Dropped
from pipeline.sources import AssetError


def check_pools(manifest: Manifest, kept: Sequence[Asset], dropped: Sequence[Dropped]) -> None:
    """Raise AssetError where a kind of asset that the manifest needs is missing; it counts what was rejected."""
    share = manifest.objects.real_fraction
    needed = {"background": any(a.role == "background" for a in kept)}
    for origin, wanted in (("real", share > 0), ("generated", share < 1)):
        usable = [a for a in kept if a.role == "foreground" and a.origin == origin]
        standing = [a for a in usable if a.support == "ground" and not a.cut]
        needed[f"{origin} foreground"] = bool(standing if manifest.shadow.fraction > 0 else usable) or not wanted
    for kind, have in needed.items():
        if not have:
            reasons = Counter(d.reason for d in dropped)
            why = ", ".join(f"{n} {r}" for r, n in reasons.most_common()) or "none was offered"
            standing_text = (
                " that stands whole on the ground" if "foreground" in kind and manifest.shadow.fraction else ""
            )
            raise AssetError(
                f"no usable {kind} asset{standing_text} (objects.real_fraction = {share:g}); rejected: {why}"
            )


def check_splits(manifest: Manifest, assets: Sequence[Asset]) -> None:
    """Raise AssetError unless every split can draw every kind of target that the manifest asks for."""
    real = manifest.objects.real_fraction
    grounded = manifest.shadow.fraction
    for split, _ in manifest.splits.items():
        pools = Pools([a for a in assets if a.split == split], manifest)
        missing = [] if pools.backgrounds else ["background"]
        for origin, wanted in (("real", real > 0), ("generated", real < 1)):
            kinds = {False: grounded < 1, True: grounded > 0}
            if wanted and not all(pools.targets(origin == "real", g) for g, asked in kinds.items() if asked):
                missing.append(f"{origin} foreground{' that stands whole on the ground' if grounded > 0 else ''}")
        whole = [a for a in pools.foregrounds if not a.cut]
        if manifest.objects.share("1") < 1 and len(whole) < 2:
            missing.append("second whole foreground to stand beside the target")
        if missing:
            raise AssetError(
                f"split '{split}' has no {' and no '.join(missing)}: there are too few for "
                f"{len(manifest.splits.items())} splits; add assets or set a split's share to 0"
            )
