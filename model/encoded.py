"""A batch as the transformer's tokens. Legend: B batch, S branches, M modalities, L tokens, D dim, H W picture sides.

Everything here is a function of the pictures alone, so it can be computed once and stored (`model.precompute`).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.batch import Batch
from model.codec import Codec, check_size
from model.conditioning import Context, background_context, foreground_context, pad_colour
from model.modalities import Modalities
from model.packing import fold_mask, pack
from model.spec import Spec


class Encoded(NamedTuple):
    """`clean` (B, S, L, D) is the answer; `context` (B, S, L, 2 D' ...) the masked picture and the folded mask;
    `anchor` (B, S, L, D) the first guess, or a size of 0 where the model predicts velocities; `hole` (B, S, L, 1)
    the share of a token that is to be repainted; `contexts` (B, M, L, D) other views of the picture.
    """

    clean: Tensor
    context: Tensor
    anchor: Tensor
    hole: Tensor
    contexts: Tensor
    height: int  # of the latents
    width: int


def encode_condition(spec: Spec, codec: Codec, modalities: Modalities, composite: Tensor, mask: Tensor) -> Encoded:
    """All but `clean`, which is empty: what inference needs. Raises ValueError for sides the codec cannot take."""
    height, width = composite.shape[-2:]
    check_size(codec, height, width)
    anchored = spec.prediction == "x0"
    seen = modalities(composite, mask)
    guess = seen["amodal"][:, :1] if "amodal" in seen else 2 * mask - 1
    parts = [_context(spec, codec, branch, composite, mask, guess) for branch in spec.branches]
    holes = [mask if branch == "background" else 1 - mask for branch in spec.branches]
    context = torch.stack([c.tokens for c in parts], dim=1)
    anchor = torch.stack([c.anchor for c in parts], dim=1) if anchored else context[..., :0]
    hole = torch.stack([fold_mask(h, codec.factor).mean(-1, keepdim=True) for h in holes], dim=1)
    views = [pack(codec.encode(view)) for view in seen.values()]
    contexts = torch.stack(views, dim=1) if views else context[:, :0]
    return Encoded(context[..., :0], context, anchor, hole, contexts, height // codec.factor, width // codec.factor)


def encode(spec: Spec, codec: Codec, modalities: Modalities, batch: Batch) -> Encoded:
    """A whole batch, answers included. No gradient flows into the codec."""
    with torch.no_grad():
        condition = encode_condition(spec, codec, modalities, batch.composite, batch.mask)
        answers = {"background": batch.background, "foreground": pad_colour(batch.foreground)}
        clean = torch.stack([pack(codec.encode(answers[branch])) for branch in spec.branches], dim=1)
        return condition._replace(clean=clean)


def _context(spec: Spec, codec: Codec, branch: str, composite: Tensor, mask: Tensor, guess: Tensor) -> Context:
    if branch == "background":
        return background_context(codec, composite, mask, spec.hole)
    return foreground_context(codec, composite, mask, spec.hole, guess if spec.prediction == "x0" else None)
