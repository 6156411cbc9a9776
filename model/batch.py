"""What the loader hands to the model. Legend: B batch, C channels, H W height and width."""

from typing import NamedTuple

from torch import Tensor


class Cursor(NamedTuple):
    """A place in the stream of batches, the same on every rank: `batch` batches of epoch `epoch` were used."""

    epoch: int = 0
    batch: int = 0


class Batch(NamedTuple):
    """B samples, float32. Colours and `foreground`'s alpha are in [-1, 1], sRGB-encoded, straight alpha.

    `composite` and `background` (B, 3, H, W); `foreground` (B, 4, H, W), colour -1 where its alpha is -1;
    `visible` (B, 1, H, W) in [0, 1], the part of the object's alpha that shows; `mask` (B, 1, H, W), 1 where the
    user marked the object. `cursor` is where the stream stands after this batch.
    """

    composite: Tensor
    background: Tensor
    foreground: Tensor
    visible: Tensor
    mask: Tensor
    keys: tuple[str, ...]
    cursor: Cursor
