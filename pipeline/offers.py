"""Offers: what the sources of a manifest hold, after the licence gate, as tasks to prepare."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline.describe import license_of
from pipeline.layouts import Skipped, read_layout
from pipeline.licenses import allowed
from pipeline.listener import Listener
from pipeline.manifest import Manifest
from pipeline.models import Model, resolve
from pipeline.prepare import Dropped, Task
from pipeline.prompts import Prompts
from pipeline.source import PICTURES, Source
from pipeline.sources import AssetError, FetchedFile, fetch, select
from pipeline.tools import Setup
from stages.settings import ManifestError

Thing = TypeVar("Thing")

_BATCH = 16
_MATTES = 4  # a photograph takes a second or two


class Offer(NamedTuple):
    """Tasks that need the same models (None: none), under the name of the stage that runs them."""

    stage: str
    setup: Setup | None
    tasks: list[Task]


def offers(manifest: Manifest, base: Path, cache: Path, to: Listener) -> tuple[list[Offer], list[Dropped]]:
    """Fetch every source and cut what it holds into tasks; and what its metadata or its licence rule out.

    Raises AssetError where a source or a model cannot be had, ManifestError for prompts that make no sense.
    """
    prompts = {s.name: _prompts(s, base) for s in manifest.sources if s.diffusion}
    to.stage("fetch", len(manifest.sources))
    model = _model(manifest, base, cache)
    plain, photographs, drawn = Offer("prepare", None, []), Offer("matte", Setup(matte=model), []), []
    dropped: list[Dropped] = []
    for source in manifest.sources:
        files, refused = _files(source, manifest.licenses, base, cache)
        task = Task(source, (), (), manifest.quality, manifest.size, cache, manifest.matte)
        if source.diffusion:
            drawn.append(
                Offer(f"draw {source.name}", Setup(model, source.diffusion), _draw(task, prompts[source.name]))
            )
        elif source.role == "photograph":
            photographs.tasks.extend(task._replace(files=tuple(part)) for part in _parts(files, _MATTES))
        else:
            plain.tasks.extend(task._replace(files=tuple(part)) for part in _parts(files, _BATCH))
            plain.tasks.extend(task._replace(indices=tuple(part)) for part in _parts(range(source.count), _BATCH))
        dropped += refused
        to.advance(1, Counter(d.reason for d in refused))
    return [offer for offer in (plain, photographs, *drawn) if offer.tasks], dropped


def _model(manifest: Manifest, base: Path, cache: Path) -> Model | None:
    """The matting model, where any source needs it."""
    if not any(s.role == "photograph" or s.diffusion for s in manifest.sources):
        return None
    return resolve(manifest.matte.model, manifest.matte.sha256, cache, base)


def _prompts(source: Source, base: Path) -> Prompts:
    assert source.diffusion is not None
    try:
        return Prompts(source.diffusion, source.seed, base)
    except ManifestError as error:
        raise ManifestError(f"source '{source.name}': {error}") from None


def _draw(task: Task, prompts: Prompts) -> list[Task]:
    source = task.source
    assert source.diffusion is not None
    numbers = _parts(range(source.count), source.diffusion.batch)
    return [task._replace(indices=tuple(part), prompts=tuple(prompts.prompt(k) for k in part)) for part in numbers]


def _parts(things: Sequence[Thing], size: int) -> list[Sequence[Thing]]:
    return [things[k : k + size] for k in range(0, len(things), size)]


def _files(source: Source, allow: Sequence[str], base: Path, cache: Path) -> tuple[list[FetchedFile], list[Dropped]]:
    """The files of a source that its globs ask for and whose licence is allowed; no pixel is read for that."""
    if source.origin == "generated":
        return [], []
    files = fetch(source, cache / "sources", base)
    dropped: list[Dropped] = []
    if source.layout != "files":
        files, skipped = _annotated(source, files)
        dropped += [Dropped(f"{source.name}:{s.relative}", s.reason, s.detail) for s in skipped]
    kept = []
    for file in files:
        text = license_of(source, file)
        if allowed(text, allow):
            kept.append(file)
        else:
            dropped.append(Dropped(f"{source.name}:{file.relative}", "license_not_allowed", text))
    return kept, dropped


def _annotated(source: Source, files: Sequence[FetchedFile]) -> tuple[list[FetchedFile], list[Skipped]]:
    include = () if source.include == PICTURES else source.include  # the default is for files, not for what is in them
    try:
        found, skipped = read_layout(source, files)
        return select(found, include, source.exclude), skipped
    except AssetError as error:
        raise AssetError(f"source {source.name!r}: {error}") from error
