"""Text to pictures, by any diffusers pipeline. torch and diffusers are imported only where it is used."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.lazy import library, one_line, quiet, require_device
from stages.types import U8, Rejected

_DTYPES = ("float32", "bfloat16", "float16")


class TextToImage:
    """A diffusers text-to-image pipeline, by Hub id or folder.

    Weights are read from safetensors only, and code that lies beside them is never run. A safety checker that the
    pipeline comes with stays in place.
    """

    def __init__(self, model: str, *, revision: str = "", dtype: str = "float32", device: str = "cpu") -> None:
        """Load the pipeline onto `device` (as torch names it).

        Raises ValueError where a library is missing, where there is no such device or dtype, and where `model`
        holds no pipeline that draws from text.
        """
        torch, _, _ = library("torch"), library("transformers"), library("diffusers")
        require_device(device)
        if dtype not in _DTYPES:
            raise ValueError(f"dtype: '{dtype}' is not one of {', '.join(_DTYPES)}")
        with quiet():
            self._pipe = _loaded(model, revision, getattr(torch, dtype)).to(device)
        self._pipe.set_progress_bar_config(disable=True)
        self._device = device
        self._name = type(self._pipe).__name__
        self._accepts = inspect.signature(type(self._pipe).__call__).parameters
        for key in ("prompt", "generator", "num_inference_steps", "height", "width"):
            if key not in self._accepts:
                raise ValueError(f"model: {model} is a {self._name}, which takes no '{key}': not text to image")
        self._multiple = _multiple(self._pipe)

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        size: int,
        steps: int,
        guidance: float | None,
        negative: str,
    ) -> list[U8 | Rejected]:
        """One picture a prompt: uint8 sRGB (size, size, 3), or straight (size, size, 4) where alpha is drawn too.

        The noise of a picture comes from its own seed and is made on the CPU, so that neither the rest of the batch
        nor the device chooses it. `guidance` None leaves the pipeline's own, an empty `negative` asks for nothing.
        In the place of a picture stands Rejected: `unsafe` where the pipeline's safety checker blacked it out,
        `not_finite` where the numbers overflowed, as they may in float16.

        Raises ValueError for a size or an argument that the pipeline does not take, and where the device has too
        little memory for the batch.
        """
        if len(prompts) != len(seeds):
            raise ValueError(f"seeds: {len(seeds)} for {len(prompts)} prompts")
        if size < 1 or size % self._multiple:
            raise ValueError(f"size: {size} is not a multiple of {self._multiple} px, which {self._name} needs")
        asked = self._optional(guidance, negative, len(prompts))
        if not prompts:
            return []
        asked |= {"prompt": list(prompts), "height": size, "width": size, "num_inference_steps": steps}
        return self._pictures(self._run(asked, seeds, size), len(prompts), size)

    def _run(self, asked: dict[str, Any], seeds: Sequence[int], size: int) -> Any:
        torch = library("torch")
        noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        try:
            with quiet():
                return self._pipe(**asked, generator=noise)
        except torch.OutOfMemoryError as error:
            what = f"{len(seeds)} pictures of {size} px in one batch"
            raise ValueError(f"batch: too little memory on {self._device} for {what}; use a smaller batch") from error

    def _optional(self, guidance: float | None, negative: str, count: int) -> dict[str, Any]:
        """The arguments that not every pipeline takes."""
        # 8-bit pictures would hide numbers that are not finite
        asked: dict[str, Any] = {"output_type": "np"} if "output_type" in self._accepts else {}
        if guidance is not None:
            self._require("guidance", "guidance_scale")
            asked["guidance_scale"] = guidance
        if negative:
            self._require("negative", "negative_prompt")
            # Where guidance is distilled into the model, classifier-free guidance is a second scale, off as a rule.
            scale = self._accepts.get("true_cfg_scale")
            if scale is not None and scale.default <= 1:
                raise ValueError(f"negative: {self._name} ignores its 'negative_prompt'; leave it empty")
            asked["negative_prompt"] = [negative] * count
        return asked

    def _require(self, key: str, argument: str) -> None:
        if argument not in self._accepts:
            raise ValueError(f"{key}: {self._name} takes no '{argument}'; leave it out")

    def _pictures(self, out: Any, count: int, size: int) -> list[U8 | Rejected]:
        unsafe = getattr(out, "nsfw_content_detected", None) or getattr(out, "nsfw_detected", None) or [False] * count
        pictures = [np.asarray(image) for image in out.images]
        for picture in pictures:
            if picture.shape not in ((size, size, 3), (size, size, 4)):
                raise ValueError(f"size: {self._name} drew {picture.shape}, not ({size}, {size}, 3 or 4)")
        return [_pixels(picture, bool(flag)) for picture, flag in zip(pictures, unsafe, strict=True)]


def _pixels(picture: NDArray[Any], unsafe: bool) -> U8 | Rejected:
    """uint8 of a float picture in [0, 1]; an 8-bit picture as it is."""
    if unsafe:
        return Rejected("unsafe", "blacked out by the pipeline's safety checker")
    if picture.dtype == np.uint8:
        return np.ascontiguousarray(picture)
    if not np.isfinite(picture).all():
        return Rejected("not_finite", "the model's numbers overflowed")
    quantised: U8 = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return quantised


def _loaded(model: str, revision: str, dtype: Any) -> Any:
    """The pipeline, as the class that draws from text; where diffusers knows none, as the class that was saved."""
    diffusers = library("diffusers")
    asked = {"revision": revision or None, "dtype": dtype, "use_safetensors": True}
    try:
        try:
            return diffusers.AutoPipelineForText2Image.from_pretrained(model, **asked)
        except ValueError:
            return diffusers.DiffusionPipeline.from_pretrained(model, **asked)
    except Exception as error:  # whatever a folder of unknown origin makes the loader raise
        where = f"{model}, revision {revision}" if revision else model
        raise ValueError(f"model: no text-to-image pipeline can be loaded from {where}: {one_line(error)}") from error


def _multiple(pipe: Any) -> int:
    """What sizes must be a multiple of, in px, as far as the parts of the pipeline tell."""
    processor = getattr(getattr(pipe, "image_processor", None), "config", {})
    latent = getattr(pipe, "vae_scale_factor", 1) * getattr(pipe, "patch_size", 1)
    return math.lcm(int(processor.get("vae_scale_factor", 1)), int(latent))
