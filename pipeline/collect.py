"""Collect: from a manifest's sources to the asset table of a build."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.assets import Asset
from pipeline.captions import add_captions
from pipeline.enough import check_pools, check_splits
from pipeline.licenses import allowed
from pipeline.listener import Listener
from pipeline.manifest import Manifest
from pipeline.offers import Offer, offers
from pipeline.prepare import Dropped, Preparer, prepare
from pipeline.run import Failure, Machine, run_actors, run_tasks, session
from pipeline.source import Source
from pipeline.sources import AssetError
from pipeline.splits import assign, keep_best
from stages.settings import ManifestError


class Collected(NamedTuple):
    """The assets of a build, each with its split; and what was not used."""

    assets: list[Asset]
    dropped: list[Dropped]


def collect(manifest: Manifest, base: Path, cache: Path, machine: Machine, to: Listener) -> Collected:
    """Fetch and prepare all sources, and see that they are enough for the manifest.

    Args:
        manifest: its `licenses` are checked before anything is fetched.
        base: folder that local paths are relative to.
        cache: folder for downloads and prepared pixels; on a cluster, on storage that all nodes share.
        machine: what it runs on.
        to: hears of progress.

    Raises:
        ManifestError: a source's licence is outside the allow-list.
        AssetError: a source cannot be had, or too little of it is usable.
    """
    kept, dropped = gather(manifest, base, cache, machine, to)
    check_pools(manifest, kept, dropped)
    assigned = assign(kept, manifest)
    check_splits(manifest, assigned)
    return Collected(assigned, dropped)


def gather(
    manifest: Manifest, base: Path, cache: Path, machine: Machine, to: Listener
) -> tuple[list[Asset], list[Dropped]]:
    """The usable assets of all sources, without near duplicates, and what was not used. Raises as `collect`."""
    for source in manifest.sources:
        _check_license(source, manifest.licenses)
    with session():
        found, dropped = offers(manifest, base, cache, to)
        assets: list[Asset] = []
        for offer in found:
            for result in _prepared(offer, machine, to):
                assets += [a for a in result if isinstance(a, Asset)]
                dropped += [d for d in result if isinstance(d, Dropped)]
        kept, twins = keep_best(assets, manifest.quality.hash_distance)
        dropped += [Dropped(a.id, "near_duplicate", f"of {other.id}", a.sha256) for a, other in twins]
        to.advance(0, Counter({"near_duplicate": len(twins)}) if twins else Counter())
        return add_captions(kept, manifest.captioner, cache, machine, to), dropped


def _prepared(offer: Offer, machine: Machine, to: Listener) -> Iterable[list[Asset | Dropped]]:
    """Results of an offer's tasks, in the order of the tasks."""
    tasks = offer.tasks
    to.stage(offer.stage, sum(len(t.files) + len(t.indices) for t in tasks))
    if offer.setup is None:
        running = run_tasks(prepare, tasks, machine.workers, machine.address)
    else:
        setup = offer.setup._replace(device=machine.device)
        running = run_actors(Preparer, setup, tasks, machine.workers, machine.address, machine.needs)
    results: dict[int, list[Asset | Dropped]] = {}
    for place, result in running:
        if isinstance(result, Failure):
            raise AssetError(f"source '{tasks[place].source.name}': {result.error}")
        results[place] = result
        to.advance(len(result), Counter(d.reason for d in result if isinstance(d, Dropped)))
    return [results[place] for place in sorted(results)]


def _check_license(source: Source, allow: Sequence[str]) -> None:
    if source.rows.license or source.layout != "files":  # its own metadata say what each file's licence is
        return
    licenses = [source.license, *(r.license for r in source.rules if r.license)]
    if not any(allowed(text, allow) for text in licenses):
        raise ManifestError(
            f"source '{source.name}': license '{source.license}' is not in licenses = [{', '.join(allow)}]"
        )
