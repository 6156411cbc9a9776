"""Our own models as methods: a folder that `layerloom train` or `save_pretrained` wrote."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import Field

from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.methods.holes import mask_of
from evaluation.methods.made import Made, key_from, key_of, needed, weights_hash
from evaluation.sample import Item
from stages.lazy import require_device
from stages.types import Frozen


class Checkpoint(Frozen):
    """`path`: a model's folder, that of the run which made it, or a Hub id; the rest as `LayerDecompositionPipeline`
    takes it.

    `dtype` is that of a base that lies elsewhere; `revision` that of a model on the Hub, else of such a base. The noise
    of every picture comes from `seed`.
    """

    path: str = Field(min_length=1)
    steps: int | None = Field(None, ge=1, le=1000)
    seed: int = Field(0, ge=0, lt=1 << 63)
    size: int | None = Field(None, ge=1, le=4096)
    detail: bool = True
    paste_back: bool = False
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    revision: str | None = None
    device: str = "cpu"


def make_checkpoint(options: Checkpoint) -> Made:
    """Both layers, as the pipeline makes them of picture and mask.

    The key holds a SHA-256 over the model's weights and settings, and over the base's where that is a folder; of a
    base on the Hub its name and revision. Raises EvalError where the model cannot be loaded; so does the method for
    an item that the pipeline refuses: no mask, an empty or full one, too little memory.
    """
    torch, diffusers = (needed("model", module, "train") for module in ("torch", "diffusers"))
    decompose, config, hub = (needed("model", f"model.{name}", "train") for name in ("decompose", "config", "hub"))
    try:
        require_device(options.device)
        found = hub.locate(config.resolve(options.path), options.revision)
        folder = _model_in(Path(found.folder))
        pipeline = decompose.LayerDecompositionPipeline.from_pretrained(
            folder, revision=found.revision, torch_dtype=getattr(torch, options.dtype)
        ).to(options.device)
    except ValueError as error:  # ModelError, ManifestError
        raise EvalError(f"method 'model': {error}") from error
    asked = options.model_dump(include={"steps", "seed", "size", "detail", "paste_back"})

    def method(item: Item) -> Answer:
        mask = mask_of(item, "model")
        try:
            made = pipeline(item.picture, mask, **asked)
        except ValueError as error:  # PictureError
            raise EvalError(f"{item.id}: {error}") from error
        return Answer(made.background, made.foreground)

    return Made(method, key_of("model", options, (torch, diffusers), weights_of(folder)))


def keys_of(options: Checkpoint, weights: str, versions: Mapping[str, str]) -> set[str]:
    """The keys that a model with these `weights` (`weights_of`) may have in a report: with the libraries that the
    report names, or, where it names none, with those that are here.

    torch's own version may end in "+cu130" where that of its package, which reports name, does not.
    """
    here = {name: str(needed("model", name, "train").__version__) for name in ("torch", "diffusers")}
    choices = [{here[name], versions.get(name, here[name])} for name in here]
    return {key_from("model", options, dict(zip(here, each, strict=True)), weights) for each in product(*choices)}


def _model_in(folder: Path) -> Path:
    """A run keeps its finished model in a folder of its own."""
    inside = folder / "model"
    return inside if not (folder / "layers.json").is_file() and (inside / "layers.json").is_file() else folder


def weights_of(folder: Path) -> str:
    """Hashes of the weights of model, base and networks of its views; names of what is no folder."""
    from model.config import resolve
    from model.folder import read_about

    spec = read_about(folder)["spec"]
    fusion = spec.get("fusion") or {}
    views = [fusion.get(f"{view}_model") for view in fusion.get("modalities", ())]
    found = [resolve(other) for other in (spec.get("base"), *views) if other is not None]
    return " ".join([weights_hash(folder), *(weights_hash(Path(f)) if Path(f).is_dir() else f for f in found)])
