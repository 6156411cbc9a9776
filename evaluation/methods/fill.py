"""Inpainting pipelines of diffusers as methods: FLUX.1-Fill, Stable Diffusion (XL) Inpaint, PowerPaint and their like.

Task words, such as PowerPaint v1's for removal (prompt "empty scene blur P_ctxt", negative "P_obj"), must be in the
tokenizer and the text encoder of the folder.
"""

import inspect
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from evaluation.errors import EvalError
from evaluation.methods.holes import Fitted, filler, fitted, unfitted
from evaluation.methods.made import Made, key_of, needed
from evaluation.methods.pipelines import load, located
from stages.lazy import one_line, quiet, require_device
from stages.types import F32, U8, Frozen, Mask

MULTIPLE = 16  # of the sides that the pipelines take: 8 pixels a latent, 2 latents a token


class Inpainter(Frozen):
    """`path`: a folder in diffusers' layout, or a Hub id (at `revision`); `pipeline`: a class, else the saved one.

    `size`: the pipeline works at about `size` x `size` pixels, else at the picture's own size. Sides become multiples
    of 16 by resampling, or else by padding. `guidance` and `strength` are the pipeline's own by default. The noise of
    every picture comes from `seed`, made on the CPU.
    """

    path: str = Field(min_length=1)
    pipeline: str = ""
    revision: str | None = None
    prompt: str = ""
    negative: str = ""
    steps: int = Field(50, ge=1, le=1000)
    guidance: float | None = Field(None, ge=0, le=1000)
    strength: float | None = Field(None, gt=0, le=1)
    seed: int = Field(0, ge=0, lt=1 << 63)
    size: int | None = Field(None, ge=MULTIPLE, le=8192)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "cpu"


def make_fill(options: Inpainter) -> Made:
    """Background: the pipeline's, inside the mask only.

    The key holds a SHA-256 over all weights and settings of a folder; of a Hub id its commit. Raises EvalError where
    the pipeline cannot be loaded, does not inpaint, or takes no option that is set; so does the method where the
    pipeline runs out of memory, refuses the picture, or makes no picture.
    """
    torch, diffusers = (needed("fill", module, "train") for module in ("torch", "diffusers"))
    needed("fill", "transformers", "train")
    try:
        require_device(options.device)
    except ValueError as error:
        raise EvalError(f"method 'fill': {error}") from error
    folder, weights = located(diffusers, options.path, options.revision)
    pipe = load(diffusers, folder, options.pipeline, getattr(torch, options.dtype)).to(options.device)
    pipe.set_progress_bar_config(disable=True)
    asked = _asked(pipe, options)

    def fill(picture: U8, mask: Mask) -> F32:
        seen = fitted(picture, mask, options.size, MULTIPLE)
        noise = torch.Generator("cpu").manual_seed(options.seed)
        made = _run(torch, pipe, asked | {"generator": noise}, seen)
        return unfitted(made, mask, options.size)

    return Made(filler("fill", fill), key_of("fill", options, (torch, diffusers), weights))


def _asked(pipe: Any, options: Inpainter) -> dict[str, Any]:
    """What the pipeline is given with every picture. Raises EvalError for an option that it does not take."""
    accepts = inspect.signature(type(pipe).__call__).parameters
    asked = {"prompt": options.prompt, "num_inference_steps": options.steps, "output_type": "np"}
    wished = {
        "negative": ("negative_prompt", options.negative or None),
        "guidance": ("guidance_scale", options.guidance),
        "strength": ("strength", options.strength),
    }
    for name, (argument, value) in wished.items():
        if value is not None and argument not in accepts:
            raise EvalError(f"method 'fill': {name}: {type(pipe).__name__} takes no '{argument}'; leave it out")
        asked |= {} if value is None else {argument: value}
    return asked


def _run(torch: Any, pipe: Any, asked: dict[str, Any], seen: Fitted) -> F32:
    """The pipeline's picture (h, w, 3), in levels 0 to 255."""
    height, width = seen.mask.shape
    hole = Image.fromarray(seen.mask.astype(np.uint8) * np.uint8(255))
    try:
        with quiet():
            out = pipe(image=Image.fromarray(seen.picture), mask_image=hole, height=height, width=width, **asked)
    except torch.OutOfMemoryError:
        text = f"{width} x {height} pixels do not fit into the memory of {pipe.device}; give a smaller size"
        raise EvalError(text) from None
    except ValueError as error:
        raise EvalError(f"{type(pipe).__name__}: {one_line(error)}") from error
    if any(getattr(out, "nsfw_content_detected", None) or ()):
        raise EvalError("blacked out by the pipeline's safety checker")
    made = np.asarray(out.images[0], np.float32)
    if made.shape != seen.picture.shape or not np.isfinite(made).all():
        raise EvalError(f"{type(pipe).__name__} made {made.shape}, must be {seen.picture.shape} and finite")
    return made * np.float32(255)
