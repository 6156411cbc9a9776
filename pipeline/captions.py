"""Captions: an image-to-text model for assets of whom only a file name is known."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from pipeline.assets import Asset, Store, write_atomic
from pipeline.listener import Listener
from pipeline.manifest import CaptionKnobs
from pipeline.run import Failure, Machine, run_actors
from pipeline.sources import AssetError
from pipeline.tools import Setup, Tools
from pipeline.version import code_version

_BATCH = 8
_NOTHING: Counter[str] = Counter()


class CaptionTask(NamedTuple):
    """Prepared pixels, by their SHA-256 in the cache, that have no caption."""

    pixels: tuple[str, ...]
    cache: Path


class CaptionWriter:
    """Captions batches of prepared pixels; answers are kept in the cache."""

    def __init__(self, setup: Setup) -> None:
        self._tools = Tools(setup)

    def __call__(self, task: CaptionTask) -> list[str]:
        """One caption for each of the task's pixels, in order."""
        return [self._caption(sha256, task.cache) for sha256 in task.pixels]

    def _caption(self, sha256: str, cache: Path) -> str:
        known = (*(self._tools.setup.captioner or ()), self._tools.captioner_state, code_version("stages.caption"))
        key = "\0".join((sha256, *known))
        entry = cache / "captions" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        if not entry.exists():
            text = self._tools.captioner.caption(Store(cache / "objects").pixels(sha256))
            entry.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(entry, orjson.dumps(text))
        return str(orjson.loads(entry.read_bytes()))


def add_captions(
    assets: Sequence[Asset], knobs: CaptionKnobs, cache: Path, machine: Machine, to: Listener
) -> list[Asset]:
    """The assets, those without a caption of their own captioned by the model of `knobs`, if it names one.

    A model that has nothing to say leaves the words of the file's name. Raises AssetError if it cannot be loaded.
    """
    silent = [a.sha256 for a in assets if a.caption_from == "name"]
    if not knobs.model or not silent:
        return list(assets)
    tasks = [CaptionTask(tuple(silent[k : k + _BATCH]), cache) for k in range(0, len(silent), _BATCH)]
    setup = Setup(captioner=(knobs.model, knobs.revision), device=machine.device)
    to.stage("caption", len(silent))
    said: dict[str, str] = {}
    for place, result in run_actors(CaptionWriter, setup, tasks, machine.workers, machine.address, machine.needs):
        if isinstance(result, Failure):
            raise AssetError(result.error if result.error.startswith("captioner") else f"captioner: {result.error}")
        said |= dict(zip(tasks[place].pixels, result, strict=True))
        to.advance(len(result), _NOTHING)
    return [_with_caption(a, said) for a in assets]


def _with_caption(asset: Asset, said: dict[str, str]) -> Asset:
    text = said.get(asset.sha256, "") if asset.caption_from == "name" else ""
    return asset.model_copy(update={"caption": text, "caption_from": "model"}) if text else asset
