"""Pictures to text, for assets whose source says nothing. torch and transformers are imported only where it is used."""

from typing import Any, Protocol

import numpy as np

from stages.lazy import library, one_line, quiet, require_device
from stages.types import U8

_GREY = 128
_MAX_TOKENS = 32


class Captioner(Protocol):
    """Says what a picture shows."""

    def caption(self, rgb: U8) -> str:
        """A short English description of (h, w, 3) sRGB or (h, w, 4) straight RGBA, uint8; "" if it finds none."""


class TransformersCaptioner:
    """An image-to-text model of transformers that needs no question, by Hub id or folder: BLIP, GIT, ViT-GPT2 ...

    Weights are read from safetensors only, and code that lies beside them is never run.
    """

    def __init__(self, model: str, *, revision: str = "", device: str = "cpu") -> None:
        """Load the model onto `device` (as torch names it).

        Raises ValueError where a library is missing, where there is no such device, and where `model` holds no
        image-to-text model.
        """
        library("transformers")
        require_device(device)
        self._device = device
        with quiet():
            self._images, self._text, self._model = _loaded(model, revision)
            self._model.to(device).eval()

    def caption(self, rgb: U8) -> str:
        """The model's likeliest words, each given those before it; at most 32 tokens, on one line, no full stop.

        A cut-out is shown on mid-grey, 128. The same picture gives the same text. Raises ValueError for other than
        uint8 (h, w, 3) or (h, w, 4).
        """
        shown = on_grey(rgb)
        torch = library("torch")
        with quiet(), torch.inference_mode():
            pixels = self._images(images=[shown], return_tensors="pt")["pixel_values"].to(self._device)
            tokens = self._model.generate(
                pixel_values=pixels, max_new_tokens=_MAX_TOKENS, max_length=None, do_sample=False, num_beams=1
            )
            text = self._text.batch_decode(tokens, skip_special_tokens=True)[0]
        return " ".join(text.split()).rstrip(" .")


def on_grey(picture: U8) -> U8:
    """(h, w, 3) uint8: a straight RGBA picture over grey 128, mixed in encoded values; an RGB picture as it is."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        raise ValueError(f"picture: must be (h, w, 3) or (h, w, 4) uint8, got {picture.shape} {picture.dtype}")
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.rint(picture[..., :3] * alpha + _GREY * (1 - alpha)).astype(np.uint8)


def _loaded(model: str, revision: str) -> tuple[Any, Any, Any]:
    """Image processor, tokenizer and model. Not every captioner is published with a class that joins the first two."""
    transformers, torch = library("transformers"), library("torch")
    asked = {"revision": revision or "main", "trust_remote_code": False}
    try:
        return (
            transformers.AutoImageProcessor.from_pretrained(model, backend="pil", **asked),
            transformers.AutoTokenizer.from_pretrained(model, **asked),
            transformers.AutoModelForImageTextToText.from_pretrained(
                model, dtype=torch.float32, use_safetensors=True, **asked
            ),
        )
    except Exception as error:  # whatever a folder of unknown origin makes the loader raise
        where = f"{model}, revision {revision}" if revision else model
        raise ValueError(f"captioner: no image-to-text model can be loaded from {where}: {one_line(error)}") from error
