"""Scores against numbers computed by hand and by numpy."""

import math

import numpy as np
import pytest
import torch

from model.batch import Batch, Cursor
from model.sampler import Layers
from model.scores import alpha_error, hidden_alpha, hidden_recall, layer_scores, masked_psnr, means
from tests.model.tiny import mask, picture


def _batch(alpha: torch.Tensor, visible: torch.Tensor) -> Batch:
    n, _, h, w = alpha.shape
    background, colour = picture(1, height=h, width=w, batch=n), picture(2, height=h, width=w, batch=n)
    composite = visible * colour + (1 - visible) * background
    foreground = torch.cat([colour, 2 * alpha - 1], dim=1)
    return Batch(composite, background, foreground, visible, mask(3, h, w, n), ("k",) * n, Cursor())


def test_psnr_by_hand() -> None:
    """Half of the range off in one of four pixels: mse 0.25 / 4, 12.04 dB."""
    truth = torch.zeros(1, 3, 2, 2)
    made = truth.clone()
    made[..., 0, 0] = 1.0
    everywhere = torch.ones(1, 1, 2, 2)
    assert masked_psnr(made, truth, everywhere).item() == pytest.approx(-10 * math.log10(0.25 / 4), abs=1e-4)
    only = torch.zeros(1, 1, 2, 2)
    only[..., 0, 0] = 1
    assert masked_psnr(made, truth, only).item() == pytest.approx(-10 * math.log10(0.25), abs=1e-4)
    assert masked_psnr(made, truth, 1 - only).item() == pytest.approx(100)
    assert math.isnan(masked_psnr(made, truth, torch.zeros(1, 1, 2, 2)).item())


def test_psnr_falls_as_noise_grows() -> None:
    truth, noise, weight = picture(1), picture(2), mask(3)
    values = [masked_psnr(truth + s * noise, truth, weight).mean() for s in (0.01, 0.05, 0.2, 1.0)]
    assert values == sorted(values, reverse=True)


def test_alpha_error_is_a_mean_over_all_pixels() -> None:
    made, truth = mask(1).numpy(), mask(2).numpy()
    expected = np.abs(made - truth).reshape(2, -1).mean(1)
    np.testing.assert_allclose(alpha_error(torch.from_numpy(made), torch.from_numpy(truth)).numpy(), expected)


def test_hidden_recall_counts_what_is_hidden_only() -> None:
    hidden = torch.zeros(1, 1, 4, 4)
    hidden[..., :2, :] = 1
    made = torch.zeros(1, 1, 4, 4)
    made[..., 0, :] = 1  # half of the hidden part
    made[..., 3, :] = 1  # and something visible
    assert hidden_recall(made, hidden).item() == 0.5
    assert math.isnan(hidden_recall(made, hidden * 0).item())


def test_true_layers_score_best() -> None:
    alpha = torch.zeros(2, 1, 8, 8)
    alpha[..., 2:7, 2:7] = 1
    visible = alpha.clone()
    visible[..., 2:4, :] = 0
    batch = _batch(alpha, visible)
    found = means(layer_scores(Layers(batch.background, batch.foreground), batch))
    assert found == pytest.approx(
        {"hole_psnr": 100, "alpha_mae": 0, "hidden_recall": 1, "hidden_psnr": 100, "recomposition_psnr": 100}, abs=1e-3
    )
    assert hidden_alpha(batch).sum() == 2 * 2 * 5


def test_copying_the_input_is_punished() -> None:
    """The picture as background and the visible part as object: bad in the hole, nothing of the hidden part."""
    alpha = torch.zeros(2, 1, 8, 8)
    alpha[..., 1:7, 1:7] = 1
    visible = alpha.clone()
    visible[..., :, :4] = 0
    batch = _batch(alpha, visible)._replace(mask=visible)
    copied = Layers(batch.composite, torch.cat([batch.composite, 2 * visible - 1], dim=1))
    found = means(layer_scores(copied, batch))
    assert found["hole_psnr"] < 15
    assert found["hidden_recall"] == 0
    assert found["hidden_psnr"] < 15


def test_means_leave_out_what_is_not_defined() -> None:
    assert means({"a": torch.tensor([1.0, math.nan, 3.0])}) == {"a": 2.0}
