"""Collect: from a manifest's sources to the asset table of a build."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from pipeline.assets import Asset
from pipeline.licenses import allowed
from pipeline.manifest import Manifest, ManifestError, Source
from pipeline.pools import Pools
from pipeline.prepare import Dropped, Task, facts_of, prepare
from pipeline.run import Failure, run_tasks
from pipeline.sources import AssetError, FetchedFile, fetch
from pipeline.splits import assign, keep_best

_BATCH = 16


class Listener(Protocol):
    """Who watches a build: the terminal, a log, or nobody."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` units starts; the one before has ended."""

    def advance(self, units: int, rejects: Counter[str]) -> None:
        """So many more units are done, with these rejections on the way."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Collected(NamedTuple):
    """The assets of a build, each with its split; and what was not used."""

    assets: list[Asset]
    dropped: list[Dropped]


def collect(manifest: Manifest, base: Path, cache: Path, workers: int, address: str | None, to: Listener) -> Collected:
    """Fetch and prepare all sources.

    Args:
        manifest: its `licenses` are checked before anything is fetched.
        base: folder that local paths are relative to.
        cache: folder for downloads and prepared pixels; on a cluster, on storage that all nodes share.
        workers: as in `run_tasks`.
        address: as in `run_tasks`.
        to: hears of progress.

    Raises:
        ManifestError: a source's licence is outside the allow-list.
        AssetError: a source cannot be had, or too little of it is usable.
    """
    for source in manifest.sources:
        _check_license(source, manifest.licenses)
        _check_built(source)
    tasks, dropped = _tasks(manifest, base, cache, to)
    assets: list[Asset] = []
    to.stage("prepare", sum(len(t.files) + len(t.indices) for t in tasks))
    batches: dict[int, list[Asset | Dropped]] = {}
    for place, result in run_tasks(prepare, tasks, workers, address):
        if isinstance(result, Failure):
            raise AssetError(f"source '{tasks[place].source.name}': {result.error}")
        batches[place] = result
        to.advance(len(result), Counter(d.reason for d in result if isinstance(d, Dropped)))
    for place in sorted(batches):
        assets += [a for a in batches[place] if isinstance(a, Asset)]
        dropped += [d for d in batches[place] if isinstance(d, Dropped)]
    kept, twins = keep_best(assets, manifest.quality.hash_distance)
    dropped += [Dropped(a.id, "near_duplicate", f"of {other.id}") for a, other in twins]
    to.advance(0, Counter({"near_duplicate": len(twins)}) if twins else Counter())
    _check_pools(manifest, kept, dropped)
    assigned = assign(kept, manifest)
    _check_splits(manifest, assigned)
    return Collected(assigned, dropped)


def _check_license(source: Source, allow: Sequence[str]) -> None:
    licenses = [source.license, *(r.license for r in source.rules if r.license)]
    if not any(allowed(text, allow) for text in licenses):
        raise ManifestError(
            f"source '{source.name}': license '{source.license}' is not in licenses = [{', '.join(allow)}]"
        )


def _check_built(source: Source) -> None:
    later = 'it comes with the issue "Assets at depth"'
    if source.role == "photograph":
        raise AssetError(
            f"source '{source.name}': role = 'photograph' needs the matting stage, which is not built yet; {later} "
            "(cut-outs with alpha have role = 'foreground')"
        )
    if source.kind in ("diffusers", "hf", "npm"):
        raise AssetError(f"source '{source.name}': kind '{source.kind}' is not built yet; {later}")


def _tasks(manifest: Manifest, base: Path, cache: Path, to: Listener) -> tuple[list[Task], list[Dropped]]:
    tasks: list[Task] = []
    dropped: list[Dropped] = []
    to.stage("fetch", len(manifest.sources))
    for source in manifest.sources:
        found = () if source.kind == "procedural" else tuple(fetch(source, cache / "sources", base))
        files, refused = _gate(source, found, manifest.licenses)
        dropped += refused
        fixed = (manifest.quality, manifest.size, cache)
        numbers = tuple(range(source.count))
        tasks += [Task(source, files[k : k + _BATCH], (), *fixed) for k in range(0, len(files), _BATCH)]
        tasks += [Task(source, (), numbers[k : k + _BATCH], *fixed) for k in range(0, len(numbers), _BATCH)]
        to.advance(1, Counter(d.reason for d in refused))
    return tasks, dropped


def _gate(
    source: Source, files: tuple[FetchedFile, ...], allow: Sequence[str]
) -> tuple[tuple[FetchedFile, ...], list[Dropped]]:
    kept: list[FetchedFile] = []
    refused: list[Dropped] = []
    for file in files:
        text = str(facts_of(source.rules, file.relative).get("license", source.license))
        if allowed(text, allow):
            kept.append(file)
        else:
            refused.append(Dropped(f"{source.name}:{file.relative}", "license_not_allowed", text))
    return tuple(kept), refused


def _check_pools(manifest: Manifest, kept: Sequence[Asset], dropped: Sequence[Dropped]) -> None:
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


def _check_splits(manifest: Manifest, assets: Sequence[Asset]) -> None:
    """Every split can draw every kind of target that the manifest asks for."""
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
