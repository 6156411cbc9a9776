"""Inpainting pipelines of diffusers, found and loaded: safetensors only; code that lies beside them is never run."""

import inspect
import re
from pathlib import Path
from typing import Any

import orjson

from evaluation.errors import EvalError
from evaluation.methods.made import weights_hash
from stages.lazy import one_line, silent
from stages.settings import did_you_mean

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TAKES = ("prompt", "image", "mask_image", "height", "width", "generator", "num_inference_steps", "output_type")


def located(diffusers: Any, path: str, revision: str | None) -> tuple[Path, str]:
    """The folder of a pipeline, fetched where `path` is a Hub id and no folder; and what identifies its weights.

    That is a SHA-256 over weights and settings of a folder, and the commit of a Hub id. Raises EvalError where there
    is no such folder, and where the Hub cannot be reached, denies access, or has no such model or revision.
    """
    folder = Path(path)
    if folder.is_dir():
        # A pipeline's parts are in folders of their own; single files beside them are other copies of the weights.
        return folder, f"{weights_hash(folder, 'model_index.json')} {weights_hash(folder, '*/*')}"
    if not _HUB_ID.fullmatch(path):
        raise EvalError(f"method 'fill': {path}: no such folder, and no Hub id (OWNER/NAME)")
    try:
        with silent():
            fetched = Path(diffusers.DiffusionPipeline.download(path, revision=revision, use_safetensors=True))
    except Exception as error:  # the Hub's, the network's and diffusers' errors share no base but this
        raise EvalError(f"method 'fill': {path}: no such folder, nor on the Hub: {one_line(error)}") from error
    return fetched, f"{path}@{fetched.name}"  # the cache names a snapshot's folder by its commit


def load(diffusers: Any, folder: Path, name: str, dtype: Any) -> Any:
    """The pipeline in `folder`, as class `name` of diffusers; as the class that was saved where `name` is "".

    Where that class does not inpaint, the one that diffusers pairs with it does (`AutoPipelineForInpainting`).
    Raises EvalError for a class that is unknown or does not inpaint, and for a folder that cannot be loaded.
    """
    with silent():  # diffusers imports a class when it is first asked for
        kind = _named(diffusers, name) if name else _paired(diffusers, _saved(folder))
    try:
        with silent():
            pipe = kind.from_pretrained(folder, dtype=dtype, use_safetensors=True)
    except Exception as error:  # whatever a folder of unknown origin makes the loader raise
        raise EvalError(f"method 'fill': {folder}: no inpainting pipeline: {one_line(error)}") from error
    if not _inpaints(type(pipe)):
        raise EvalError(f"method 'fill': {folder}: {type(pipe).__name__} does not take {', '.join(_TAKES)}")
    return pipe


def _named(diffusers: Any, name: str) -> Any:
    known = [n for n in dir(diffusers) if n.endswith("Pipeline") and ("Inpaint" in n or "Fill" in n)]
    if name not in known:
        raise EvalError(
            f"method 'fill': pipeline: diffusers has no inpainting class '{name}'{did_you_mean(name, known)}"
        )
    return getattr(diffusers, name)


def _paired(diffusers: Any, name: str) -> Any:
    kind = getattr(diffusers, name, None)
    return kind if _inpaints(kind) else diffusers.AutoPipelineForInpainting


def _inpaints(kind: Any) -> bool:
    return isinstance(kind, type) and set(_TAKES) <= set(inspect.signature(kind.__call__).parameters)


def _saved(folder: Path) -> str:
    """The class that `model_index.json` names. Raises EvalError where there is none."""
    path = folder / "model_index.json"
    try:
        about = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise EvalError(f"method 'fill': {path}: cannot be read: {one_line(error)}") from None
    name = about.get("_class_name") if isinstance(about, dict) else None
    if not isinstance(name, str):
        raise EvalError(f"method 'fill': {path}: _class_name must be the name of a class of diffusers, is {name!r}")
    return name
