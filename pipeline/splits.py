"""Splits by asset cluster: pictures that look alike stay together, so no asset is seen in training and in test."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from pipeline.sources import AssetError
from stages.dedupe import cluster
from stages.rng import hash64


def keep_best(assets: Sequence[Asset], max_distance: int) -> tuple[list[Asset], list[tuple[Asset, Asset]]]:
    """Of every cluster of near duplicates the largest picture (then the first id).

    Returns:
        the kept assets, in order, with `cluster` set to their own id; and (dropped, kept) pairs.
    """
    best: dict[str, Asset] = {}
    groups = {a.id: name for a, name in _clusters(assets, max_distance)}
    for a in assets:
        other = best.get(groups[a.id])
        if other is None or (a.width * a.height, other.id) > (other.width * other.height, a.id):
            best[groups[a.id]] = a
    kept = [a for a in assets if best[groups[a.id]] is a]
    dropped = [(a, best[groups[a.id]]) for a in assets if best[groups[a.id]] is not a]
    return [a.model_copy(update={"cluster": a.id}) for a in kept], dropped


def _clusters(assets: Sequence[Asset], max_distance: int) -> list[tuple[Asset, str]]:
    # Generated objects are different by construction; their smooth shading would make the hash collide.
    out: list[tuple[Asset, str]] = [(a, a.id) for a in assets if a.origin == "generated"]
    for role in ("foreground", "background"):
        pool = [a for a in assets if a.role == role and a.origin == "real"]
        names = cluster([int(a.phash, 16) for a in pool], max_distance)
        out += [(a, pool[name].id) for a, name in zip(pool, names, strict=True)]
    return out


def assign(assets: Sequence[Asset], manifest: Manifest) -> list[Asset]:
    """Give every asset its split, by cluster, within each kind of asset in the manifest's shares.

    Clusters are ordered by a hash of seed and name. Every split gets at least one cluster of each kind. Clusters
    that share a photograph (its background, its objects) go together: the first kind decides for all.

    Raises:
        AssetError: fewer clusters of a kind than splits.
    """
    family = _families(assets)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for a in assets:
        name = (a.role, a.origin, "cut" if a.cut else a.support)  # each split needs whole ones that stand
        if family[a.id] not in groups[name]:
            groups[name].append(family[a.id])
    split_of: dict[str, str] = {}
    for group, families in groups.items():
        ordered = sorted(families, key=lambda c: hash64(f"{manifest.seed}/{c}"))
        split_of |= _deal(group, ordered, manifest, split_of)
    return [a.model_copy(update={"split": split_of[family[a.id]]}) for a in assets]


def _families(assets: Sequence[Asset]) -> dict[str, str]:
    """By asset: the first cluster among all that are linked to its own by shared photographs."""
    parent = {a.cluster: a.cluster for a in assets}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    first: dict[str, str] = {}
    for a in assets:
        if a.photo:
            one, other = root(first.setdefault(a.photo, a.cluster)), root(a.cluster)
            parent[max(one, other)] = min(one, other)
    return {a.id: root(a.cluster) for a in assets}


def _deal(
    group: tuple[str, str, str], families: list[str], manifest: Manifest, dealt: Mapping[str, str]
) -> dict[str, str]:
    """Splits of the families that have none yet, so that the shares of the group come out."""
    shares = manifest.splits.items()
    names = [name for name, _ in shares]
    if len(families) < len(shares):
        if group[2] in ("air", "cut"):  # not needed in every split
            return {f: dealt.get(f, names[0]) for f in families}
        raise AssetError(
            f"only {len(families)} distinct {group[1]} {group[0]} assets for {len(shares)} splits "
            f"({', '.join(names)}); add assets or set a split's share to 0"
        )
    least = 2 if len(families) >= 10 else 1  # one background alone would make every test scene look alike
    counts = [max(least, round(share * len(families))) for _, share in shares]
    counts[counts.index(max(counts))] += len(families) - sum(counts)
    free = [f for f in families if f not in dealt]
    taken = Counter(dealt[f] for f in families if f in dealt)
    open_places = [name for name, n in zip(names, counts, strict=True) for _ in range(max(0, n - taken[name]))]
    open_places += [names[0]] * len(free)  # where other kinds have dealt more to a split than its share
    return {f: dealt[f] for f in families if f in dealt} | dict(zip(free, open_places, strict=False))
