"""A codec that lies on the disk until it is needed: to train from stored latents, none is."""

from collections.abc import Callable

import torch
from torch import Tensor

from model.codec import Codec
from model.vae_codec import VaeCodec


class LazyCodec:
    """Stands for the codec that `load` gives; its sizes are known, its weights are loaded by the first use."""

    def __init__(self, load: Callable[[], VaeCodec]) -> None:
        self._load = load
        self._codec: VaeCodec | None = None
        self._device: torch.device | str = "cpu"
        self.factor, self.channels = self.whole().factor, self.whole().channels
        self.release()

    def to(self, device: torch.device | str) -> "LazyCodec":
        """Where it is to work."""
        self._device = device
        return self

    def whole(self) -> VaeCodec:
        """The codec itself, loaded."""
        if self._codec is None:
            self._codec = self._load().to(self._device)
        return self._codec

    def release(self) -> None:
        """Give its memory back, until the next use."""
        self._codec = None

    def encode(self, picture_BCHW: Tensor) -> Tensor:
        """See `Codec.encode`."""
        return self.whole().encode(picture_BCHW)

    def decode(self, latents_BCHW: Tensor, alpha: bool) -> Tensor:
        """See `Codec.decode`."""
        return self.whole().decode(latents_BCHW, alpha)


def whole_codec(codec: Codec) -> Codec:
    """The codec that a lazy one stands for; any other as it is."""
    return codec.whole() if isinstance(codec, LazyCodec) else codec
