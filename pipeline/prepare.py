"""Prepare: files and generators become assets, once; or are rejected with a reason that is counted."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from pipeline.assets import Asset, Store, write_atomic
from pipeline.cut import measure_drawing, measure_part, measure_photograph
from pipeline.describe import describe_asset
from pipeline.judge import judge
from pipeline.manifest import MatteKnobs, QualityKnobs
from pipeline.measure import Measured, measure_cutout, measure_file
from pipeline.prompts import Prompt
from pipeline.source import Source
from pipeline.sources import FetchedFile
from pipeline.tools import Setup, Tools
from pipeline.version import code_version, library_versions, model_library_versions
from stages.codec import encode_png
from stages.rng import hash64
from stages.types import U8, Rejected


class Task(NamedTuple):
    """A batch of files of one source, or of numbers of its generator (with a prompt each, where it draws from text)."""

    source: Source
    files: tuple[FetchedFile, ...]
    indices: tuple[int, ...]
    quality: QualityKnobs
    canvas: int
    cache: Path
    matte: MatteKnobs = MatteKnobs()
    prompts: tuple[Prompt, ...] = ()


class Dropped(NamedTuple):
    """An asset that is not used, and why; `sha256` of its prepared pixels if it came so far."""

    id: str
    reason: str
    detail: str
    sha256: str = ""


Stored = dict[str, Any]  # facts about prepared pixels and their "sha256", or "rejected": [reason, detail]


def prepare(task: Task) -> list[Asset | Dropped]:
    """Decode, trim, measure, judge and store one batch, in order; for sources that need no model."""
    return Preparer(Setup())(task)


class Preparer:
    """Prepares batches with the models of one setup, which are loaded when the first asset needs them."""

    def __init__(self, setup: Setup) -> None:
        self._tools = Tools(setup)

    def __call__(self, task: Task) -> list[Asset | Dropped]:
        """Prepare one batch, in order."""
        out = [self._file(task, file) for file in task.files]
        if task.source.kind == "diffusers":
            return out + self._drawn(task)
        return out + [_rendered(task, index) for index in task.indices]

    def _file(self, task: Task, file: FetchedFile) -> Asset | Dropped:
        asset_id = f"{task.source.name}:{file.relative}"
        data = file.path.read_bytes()
        content = hashlib.sha256(data).hexdigest()
        entry = _entry(task, content, *self._file_key(task, file))
        stored = _cached(task, entry) or _remember(task, entry, self._measured(task, file, data, asset_id))
        if "rejected" not in stored and (file.part or task.source.role != "foreground"):
            stored = stored | {"photo": file.photo or content[:16]}
        return _judged(task, file, asset_id, stored)

    def _file_key(self, task: Task, file: FetchedFile) -> tuple[str, ...]:
        if file.part:
            return (file.part.key(), task.source.role, _dumped(task.matte), code_version("pipeline.cut"))
        if task.source.role == "photograph":
            return ("photograph", self._network(), _dumped(task.matte), code_version("pipeline.cut"))
        return (task.source.role, code_version("pipeline.measure"))

    def _measured(self, task: Task, file: FetchedFile, data: bytes, name: str) -> Measured | Rejected:
        role = task.source.role
        if file.part:
            return measure_part(file.part, data, name, task.canvas, role, task.matte)
        if role == "photograph":
            return measure_photograph(data, name, task.canvas, self._tools.matter, task.matte)
        return measure_file(data, name, role, task.canvas)

    def _drawn(self, task: Task) -> list[Asset | Dropped]:
        """Draw what is not in the cache yet, as one batch, and cut it out."""
        entries = [_entry(task, *self._drawn_key(task, place)) for place in range(len(task.indices))]
        missing = [place for place, entry in enumerate(entries) if not _cached(task, entry)]
        for place, picture in zip(missing, self._pictures(task, missing), strict=True):
            _remember(task, entries[place], self._cut(task, picture))
        out = []
        for index, prompt, entry in zip(task.indices, task.prompts, entries, strict=True):
            stored = _cached(task, entry)
            assert stored is not None
            uri = f"diffusers:{task.source.diffusion.model if task.source.diffusion else ''}/{task.source.seed}/{index}"
            file = FetchedFile(entry, f"{index:06d}", uri, caption=prompt.caption, whole=True)
            out.append(_judged(task, file, f"{task.source.name}:{index:06d}", stored))
        return out

    def _pictures(self, task: Task, places: list[int]) -> list[U8 | Rejected]:
        d = task.source.diffusion
        assert d is not None
        if not places:
            return []
        prompts = [task.prompts[place].text for place in places]
        seeds = [_noise_seed(task, place) for place in places]
        size = task.source.size
        painter = self._tools.painter
        return painter.draw(prompts, seeds, size=size, steps=d.steps, guidance=d.guidance, negative=d.negative)

    def _drawn_key(self, task: Task, place: int) -> tuple[str, ...]:
        d = task.source.diffusion
        assert d is not None
        fixed = d.model_dump_json(include={"model", "revision", "dtype", "steps", "guidance", "negative"})
        what = (task.prompts[place].text, str(_noise_seed(task, place)), str(task.source.size))
        drawn_by = (self._tools.painter_state, self._tools.setup.device, str(model_library_versions()))
        code = (code_version("stages.diffuse"), code_version("pipeline.cut"))
        return (fixed, *what, *drawn_by, self._network(), _dumped(task.matte), *code)

    def _network(self) -> str:
        """What decides the mattes of the worker's network."""
        model = self._tools.setup.matte
        assert model is not None
        return model.sha256 or f"{model.name} {model_library_versions()}"

    def _cut(self, task: Task, picture: U8 | Rejected) -> Measured | Rejected:
        if isinstance(picture, Rejected):
            return picture
        return measure_drawing(picture, task.canvas, self._tools.matter, task.matte)


def _rendered(task: Task, index: int) -> Asset | Dropped:
    source = task.source
    code = (code_version("stages.generate"), code_version("pipeline.measure"))
    entry = _entry(task, str(source.seed), str(index), str(source.size), *code)
    stored = _cached(task, entry) or _remember(task, entry, _render(source, index, task.canvas))
    file = FetchedFile(entry, f"{index:06d}", f"procedural:{source.seed}/{index}", whole=True)
    return _judged(task, file, f"{source.name}:{index:06d}", stored)


def _render(source: Source, index: int, canvas: int) -> Measured:
    from stages.generate import procedural

    made = procedural(source.seed, index, source.size)
    found = measure_cutout(made.rgba, canvas)
    assert not isinstance(found, Rejected), f"{source.name} {index}: the generator made an empty object"
    known = {"caption": made.caption, "caption_from": "source", "light_x": float(made.light[0])}
    return Measured(found.pixels, found.facts | known)


def _judged(task: Task, file: FetchedFile, asset_id: str, stored: Stored) -> Asset | Dropped:
    if "rejected" in stored:
        return Dropped(asset_id, *stored["rejected"])
    asset = describe_asset(task.source, file, asset_id, stored)
    refused = judge(asset, task.quality, task.canvas)
    return Dropped(asset_id, refused.reason, refused.detail, asset.sha256) if refused else asset


def _noise_seed(task: Task, place: int) -> int:
    return hash64(f"{task.source.seed}/{task.source.name}/{task.indices[place]}") >> 1  # torch takes 63 bits


def _dumped(knobs: MatteKnobs) -> str:
    return knobs.model_dump_json(include={"refine", "foreground"})


def _entry(task: Task, *parts: str) -> Path:
    """Where the cache keeps what is known of an asset that these parts decide."""
    key = "\0".join((*parts, str(task.canvas), str(library_versions())))
    return task.cache / "prepared" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _cached(task: Task, entry: Path) -> Stored | None:
    """What `_remember` wrote, if the pixels it speaks of are still there."""
    if not entry.exists():
        return None
    stored: Stored = orjson.loads(entry.read_bytes())
    there = "rejected" in stored or Store(task.cache / "objects").path(stored["sha256"]).exists()
    return stored if there else None


def _remember(task: Task, entry: Path, result: Measured | Rejected) -> Stored:
    """Put the pixels into the store, and their hash and the facts, or the reason, into the cache."""
    if isinstance(result, Rejected):
        stored: Stored = {"rejected": [result.reason, result.detail]}
    else:
        stored = result.facts | {"sha256": Store(task.cache / "objects").put(encode_png(result.pixels))}
    entry.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(entry, orjson.dumps(stored))
    return stored
