"""Amodal scores against hand-computed cases and the scores that training reports."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as hnp

from evaluation.metrics.amodal import (
    amodal_iou,
    hidden,
    hidden_iou,
    hidden_psnr,
    hidden_recall,
    visible_iou,
    visible_psnr,
    visible_recall,
)
from evaluation.metrics.psnr import CAP
from model.scores import masked_psnr
from stages.masks import mask_iou
from tests.evaluation.metrics.pictures import damaged, disc, picture, soft_disc, strictly_rising

WHOLE = soft_disc()
VISIBLE = WHOLE * (np.arange(56) < 30).astype(np.float32)  # something lies before its right side


def rgba(colour, alpha):
    return np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)])


def test_hidden_is_what_does_not_show():
    part = hidden(WHOLE, VISIBLE)
    assert part.dtype == np.float32
    assert (part[:, :30] == 0).all()
    assert (part[:, 30:] == WHOLE[:, 30:]).all()
    assert hidden(np.array([[0.25]], np.float32), np.array([[0.5]], np.float32)).item() == 0


def test_the_truth_scores_best():
    truth = rgba(picture(1), WHOLE)
    assert amodal_iou(WHOLE, WHOLE) == 1
    for f in (hidden_recall, hidden_iou, visible_recall, visible_iou):
        assert f(WHOLE, WHOLE, VISIBLE) == pytest.approx(1)
    assert hidden_psnr(truth, truth, VISIBLE) == visible_psnr(truth, truth, VISIBLE) == CAP


def test_what_shows_recovers_nothing_hidden():
    assert hidden_recall(VISIBLE, WHOLE, VISIBLE) == hidden_iou(VISIBLE, WHOLE, VISIBLE) == 0
    assert visible_recall(VISIBLE, WHOLE, VISIBLE) == pytest.approx(1)
    assert visible_iou(VISIBLE, WHOLE, VISIBLE) == pytest.approx(1)
    only_hidden = hidden(WHOLE, VISIBLE)
    assert hidden_recall(only_hidden, WHOLE, VISIBLE) == pytest.approx(1)
    assert visible_recall(only_hidden, WHOLE, VISIBLE) == visible_iou(only_hidden, WHOLE, VISIBLE) == 0


def test_by_hand():
    """Eight pixels, four hidden; two of those made, and two more where there is no object."""
    truth = np.array([[1] * 8 + [0] * 4], np.float32)
    visible = np.array([[1] * 4 + [0] * 8], np.float32)
    made = np.array([[1] * 6 + [0] * 2 + [1] * 2 + [0] * 2], np.float32)
    assert hidden_recall(made, truth, visible) == 0.5
    assert hidden_iou(made, truth, visible) == pytest.approx(2 / 6)
    assert visible_recall(made, truth, visible) == 1
    assert visible_iou(made, truth, visible) == pytest.approx(4 / 6)
    assert amodal_iou(made, truth) == pytest.approx(6 / 10)


def test_half_transparent_occluders():
    """The object is solid and half of it shows: making just that half recovers nothing hidden, all that shows."""
    truth, visible = np.ones((1, 8), np.float32), np.full((1, 8), 0.5, np.float32)
    assert hidden_recall(visible, truth, visible) == 0
    assert hidden_recall(np.full_like(truth, 0.75), truth, visible) == pytest.approx(0.5)
    assert hidden_recall(truth, truth, visible) == 1
    for alpha, share in ((0.25, 0.5), (0.5, 1), (0.75, 1), (1, 1)):
        assert visible_recall(np.full_like(truth, alpha), truth, visible) == pytest.approx(share)
        assert visible_iou(np.full_like(truth, alpha), truth, visible) == pytest.approx(share)


@given(hnp.arrays(np.bool_, (4, 5)), hnp.arrays(np.bool_, (4, 5)))
def test_amodal_iou_of_bits_is_that_of_masks(made, truth):
    value = amodal_iou(made.astype(np.float32), truth.astype(np.float32))
    expected = mask_iou(made, truth) if (made | truth).any() else math.nan
    assert value == pytest.approx(expected, nan_ok=True)


def test_amodal_iou_cuts_at_half():
    made = np.array([[0.49, 0.5, 1, 0]], np.float32)
    assert amodal_iou(made, np.array([[1, 1, 1, 0]], np.float32)) == pytest.approx(2 / 3)


def test_small_parts_have_no_score():
    def score(area):
        truth = np.zeros((2, 12), np.float32)
        truth[0] = 1
        visible = truth.copy()
        visible[0, :area] = 0
        picture_ = rgba(np.zeros((2, 12, 3), np.uint8), truth)
        alphas = [f(truth, truth, visible) for f in (hidden_recall, hidden_iou)]
        return [*alphas, hidden_psnr(picture_, picture_, visible)]

    assert all(map(math.isnan, score(0) + score(3)))
    assert score(4) == [1, 1, CAP]
    nothing = np.zeros((2, 12), np.float32)
    for f in (visible_recall, visible_iou):
        assert math.isnan(f(np.ones_like(nothing), np.ones_like(nothing), nothing))


def test_colours_count_by_alpha():
    truth = rgba(picture(2), WHOLE)
    made = rgba(damaged(picture(2), 3, 25), np.zeros_like(WHOLE))
    a, b = (torch.from_numpy(p[..., :3]).permute(2, 0, 1)[None].double() / 127.5 - 1 for p in (made, truth))
    for f, weight in ((hidden_psnr, hidden(WHOLE, VISIBLE)), (visible_psnr, VISIBLE)):
        expected = masked_psnr(a, b, torch.from_numpy(weight)[None, None].double()).item()
        assert f(made, truth, VISIBLE) == pytest.approx(expected, abs=1e-3)


def test_where_the_damage_is_tells_the_part():
    truth, shows = rgba(picture(4), WHOLE), VISIBLE > 0
    noisy = rgba(damaged(picture(4), 5, 40), WHOLE)
    made = np.where(shows[..., None], noisy, truth)
    assert visible_psnr(made, truth, VISIBLE) < 25
    assert hidden_psnr(made, truth, VISIBLE) == CAP


def test_more_found_is_better():
    for f in (hidden_recall, hidden_iou, lambda made, truth, _: amodal_iou(made, truth)):
        found = [np.maximum(VISIBLE, WHOLE * disc(radius=r)) for r in (4, 6, 8, 10, 14)]
        assert strictly_rising([f(made, WHOLE, VISIBLE) for made in found])


def test_overshoot_is_punished():
    spilt = [np.maximum(WHOLE, soft_disc(radius=r)) for r in (12, 15, 18, 21)]
    for f in (hidden_iou, visible_iou, lambda made, truth, _: amodal_iou(made, truth)):
        assert strictly_rising([-f(made, WHOLE, VISIBLE) for made in spilt])
    assert hidden_recall(spilt[-1], WHOLE, VISIBLE) == pytest.approx(1)
