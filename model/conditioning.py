"""What each branch is told: a picture with a hole, the hole, and what its answer is a correction of.

Legend: B batch, C channels, H W sides, L tokens, D dim. Two image-mask contexts (arXiv 2511.20996): the background
branch repaints what the mask marks; the foreground branch keeps that and repaints all around it. 1 = repaint.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from model.codec import Codec
from model.fill import smooth_fill
from model.packing import fold_mask, pack

Hole = Literal["zero", "smooth"]


class Context(NamedTuple):
    """One branch's condition, (B, L, D): `tokens` (masked picture | folded mask), `anchor` (a first guess)."""

    tokens: Tensor
    anchor: Tensor


def masked_picture(picture_BCHW: Tensor, hole_B1HW: Tensor, fill: Hole) -> Tensor:
    """The picture with its hole at 0, as FLUX.1-Fill wants it, or filled smoothly from around."""
    if fill == "zero":
        return picture_BCHW * (1 - hole_B1HW)
    return smooth_fill(picture_BCHW, 1 - hole_B1HW)


def background_context(codec: Codec, composite: Tensor, mask: Tensor, fill: Hole) -> Context:
    """Hole = the mask. The first guess is the masked picture itself."""
    tokens = pack(codec.encode(masked_picture(composite, mask, fill)))
    return Context(torch.cat([tokens, fold_mask(mask, codec.factor).to(tokens.dtype)], dim=-1), tokens)


def foreground_context(codec: Codec, composite: Tensor, mask: Tensor, fill: Hole, alpha: Tensor | None) -> Context:
    """Hole = all outside the mask. With `alpha`, (B, 1, H, W) in [-1, 1], the first guess is RGBA and has that one."""
    picture, hole = masked_picture(composite, 1 - mask, fill), 1 - mask
    tokens = pack(codec.encode(picture))
    anchor = pack(codec.encode(torch.cat([picture, alpha], dim=1))) if alpha is not None else tokens
    return Context(torch.cat([tokens, fold_mask(hole, codec.factor).to(tokens.dtype)], dim=-1), anchor)


def pad_colour(foreground_B4HW: Tensor) -> Tensor:
    """The object with its own colours continued smoothly under alpha 0, where a straight picture has none to learn."""
    alpha = foreground_B4HW[:, 3:]
    colour = smooth_fill(foreground_B4HW[:, :3], (alpha + 1) / 2)
    return torch.cat([torch.where(alpha > -1, foreground_B4HW[:, :3], colour), alpha], dim=1)
