"""Batches as tokens: each part is the codec's, in the order of the branches."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model.amodal import AmodalNet, load_amodal, save_amodal
from model.codec import PixelCodec
from model.conditioning import background_context, foreground_context, pad_colour
from model.encoded import Encoded, encode, encode_condition
from model.fill import smooth_fill
from model.modalities import make_modalities
from model.packing import unpack
from model.spec import Branch
from tests.model.tiny import FUSION, PIXELS, mask, picture, sample, tokens_of

CODEC = PixelCodec(2)
BOTH: tuple[Branch, ...] = ("background", "foreground")
ANCHORED = PIXELS.model_copy(update={"prediction": "x0", "hole": "smooth"})


def as_picture(tokens: Tensor, encoded: Encoded) -> Tensor:
    return CODEC.decode(unpack(tokens, encoded.height, encoded.width), alpha=True)


def test_shapes() -> None:
    found = tokens_of(ANCHORED.model_copy(update={"fusion": FUSION}))
    shapes = [tuple(t.shape) for t in found[:5]]
    assert shapes == [(2, 2, 6, 64), (2, 2, 6, 80), (2, 2, 6, 64), (2, 2, 6, 1), (2, 2, 6, 64)]
    assert (found.height, found.width) == (4, 6)
    assert all(t.dtype == torch.float32 for t in found[:5])


def test_without_fusion_or_anchor_their_parts_are_empty() -> None:
    found = tokens_of(PIXELS)
    assert found.anchor.shape == (2, 2, 6, 0)
    assert found.contexts.shape == (2, 0, 6, 80)
    assert found.contexts.numel() == 0


@pytest.mark.parametrize("branches", [BOTH, BOTH[::-1], BOTH[:1], BOTH[1:]])
def test_the_branches_come_in_their_order(branches: tuple[Branch, ...]) -> None:
    batch = sample()
    found = tokens_of(ANCHORED.model_copy(update={"branches": branches}), batch)
    contexts = {
        "background": background_context(CODEC, batch.composite, batch.mask, "smooth"),
        "foreground": foreground_context(CODEC, batch.composite, batch.mask, "smooth", 2 * batch.mask - 1),
    }
    opaque = torch.cat([batch.background, torch.ones_like(batch.mask)], dim=1)
    answers = {"background": opaque, "foreground": pad_colour(batch.foreground)}
    assert found.clean.shape[1] == len(branches)
    for s, branch in enumerate(branches):
        assert torch.equal(found.context[:, s], contexts[branch].tokens)
        assert torch.equal(found.anchor[:, s], contexts[branch].anchor)
        assert torch.equal(as_picture(found.clean[:, s], found), answers[branch])


def test_the_hole_is_the_share_of_a_token_that_is_repainted() -> None:
    batch = sample()
    found = tokens_of(PIXELS, batch)
    squares = batch.mask[:, 0].unflatten(2, (3, 4)).unflatten(1, (2, 4)).mean((2, 4)).flatten(1)
    torch.testing.assert_close(found.hole[:, 0, :, 0], squares)
    torch.testing.assert_close(found.hole[:, 1, :, 0], 1 - squares)


def test_the_contexts_are_the_views_in_their_order() -> None:
    batch = sample()
    fusion = FUSION.model_copy(update={"modalities": ("edge", "picture")})
    found = tokens_of(PIXELS.model_copy(update={"fusion": fusion}), batch)
    views = make_modalities(fusion)(batch.composite, batch.mask)
    assert list(views) == ["edge", "picture"]
    assert torch.equal(views["picture"], batch.composite)
    for m, view in enumerate(views.values()):
        assert torch.equal(as_picture(found.contexts[:, m], found)[:, :3], view)


def test_the_first_guess_of_the_object_is_the_amodal_view(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_amodal(tmp_path, AmodalNet(8))
    batch = sample()
    fusion = FUSION.model_copy(update={"modalities": ("amodal", "picture"), "amodal_model": str(tmp_path)})
    found = tokens_of(ANCHORED.model_copy(update={"fusion": fusion}), batch)
    guess = as_picture(found.anchor[:, 1], found)
    alpha = load_amodal(str(tmp_path)).alpha(batch.composite, batch.mask).detach()
    torch.testing.assert_close(guess[:, 3:], 2 * alpha - 1)
    assert torch.equal(guess[:, :3], smooth_fill(batch.composite, batch.mask))
    assert torch.equal(as_picture(found.contexts[:, 0], found)[:, :1], guess[:, 3:])


def test_the_condition_is_all_but_the_answer() -> None:
    batch, spec = sample(), ANCHORED.model_copy(update={"fusion": FUSION})
    modalities = make_modalities(FUSION)
    found = encode_condition(spec, CODEC, modalities, batch.composite, batch.mask)
    whole = encode(spec, CODEC, modalities, batch)
    assert found.clean.shape == (2, 2, 6, 0)
    assert all(torch.equal(a, b) for a, b in zip(found[1:5], whole[1:5], strict=True))
    assert found[5:] == whole[5:] == (4, 6)


def test_the_condition_does_not_know_the_answer() -> None:
    batch = sample()
    other = batch._replace(background=picture(8), foreground=picture(9, 4), visible=mask(10))
    first, second = tokens_of(ANCHORED, batch), tokens_of(ANCHORED, other)
    assert all(torch.equal(a, b) for a, b in zip(first[1:5], second[1:5], strict=True))
    assert not torch.equal(first.clean[:, 0], second.clean[:, 0])
    assert not torch.equal(first.clean[:, 1], second.clean[:, 1])


def test_no_gradient_flows_into_the_codec() -> None:
    batch = sample()
    seen = batch._replace(composite=batch.composite.requires_grad_(), background=batch.background.requires_grad_())
    assert not any(t.requires_grad for t in tokens_of(ANCHORED, seen)[:5])


@pytest.mark.parametrize(("height", "width"), [(6, 12), (8, 10), (2, 4)])
def test_sides_that_tokens_do_not_fill_are_refused(height: int, width: int) -> None:
    text = f"^picture: {width} x {height} pixels, but both sides must be multiples of 4 for this codec$"
    with pytest.raises(ValueError, match=text):
        tokens_of(PIXELS, sample(height, width))
