"""The layer model's loss against a reference that works on pixels, and its draws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from model.batch import Batch
from model.conditioning import pad_colour
from model.encoded import Encoded
from model.packing import unpack
from model.task import LayerTask, draw, make_layer_task, shift_of
from stages.settings import ManifestError
from tests.model.bases import plain_config, save_vae
from tests.model.runs import tiny_config
from tests.model.tiny import generator, sample

CPU = torch.device("cpu")


def task(**changes: Any) -> LayerTask:
    return make_layer_task(tiny_config("nowhere", **changes), CPU)


def pixels(made: LayerTask, tokens: Tensor, encoded: Encoded) -> Any:
    """(B, 4, H, W) float64, in [-1, 1]."""
    return made.codec.decode(unpack(tokens, encoded.height, encoded.width), alpha=True).double().numpy()


def reference(loss: Any, batch: Batch, made: Any, true: Any, branch: str) -> list[float]:
    """Of each sample: the mean over pixels and channels of errors by weights."""
    mask = batch.mask[:, 0].double().numpy()
    hole = mask if branch == "background" else 1 - mask
    # a token's pixels share the mean of its hole
    side = 4
    for y in range(0, hole.shape[1], side):
        for x in range(0, hole.shape[2], side):
            hole[:, y : y + side, x : x + side] = hole[:, y : y + side, x : x + side].mean((1, 2), keepdims=True)
    weight = np.repeat((1 + loss.hole * hole)[:, None], 4, axis=1)
    error = (made - true) ** 2
    if branch == "foreground":
        alpha = (true[:, 3] + 1) / 2
        kept = (1 - loss.colour_by_alpha) + loss.colour_by_alpha * np.maximum(alpha, 0.02)
        weight = weight * np.stack([kept, kept, kept, np.full_like(alpha, loss.alpha)], axis=1)
        if loss.alpha_median:
            error[:, 3] = np.abs(made[:, 3] - true[:, 3])
    return [float((e * w).sum() / w.sum()) for e, w in zip(error, weight, strict=True)]


@pytest.mark.parametrize(
    "loss",
    [
        {},
        {"hole": 3.0},
        {"colour_by_alpha": 1.0, "alpha": 2.5},
        {"hole": 2.0, "colour_by_alpha": 0.5, "alpha": 4.0, "alpha_median": True},
        {"alpha_median": True},
    ],
)
def test_the_loss_is_that_of_pixels(loss: dict[str, Any]) -> None:
    made, batch = task(loss=loss), sample(16, 16)
    encoded, sigma, noise = made.inputs(batch, 0, CPU)
    with torch.no_grad():
        found = made(encoded, sigma, noise)
        noisy = (1 - sigma[:, None, None, None]) * encoded.clean + sigma[:, None, None, None] * noise
        out = made.model(noisy, sigma, encoded)
    truth = {
        "background": torch.cat([batch.background, torch.ones_like(batch.mask)], dim=1),
        "foreground": pad_colour(batch.foreground),
    }
    for s, branch in enumerate(made.model.spec.branches):
        tokens = pixels(made, out[:, s], encoded)
        expected = reference(made.config.loss, batch, tokens, truth[branch].double().numpy(), branch)
        np.testing.assert_allclose(found[:, s], expected, rtol=1e-4)


def test_chance_depends_on_the_samples_number_alone() -> None:
    made, batch = task(), sample(16, 16)
    _, sigma, noise = made.inputs(batch, 4, CPU)
    later = Batch._make(t[1:] if isinstance(t, Tensor) else t for t in batch)._replace(keys=("b",))
    _, one_sigma, one_noise = made.inputs(later, 5, CPU)
    assert torch.equal(sigma[1:], one_sigma)
    assert torch.equal(noise[1:], one_noise)
    assert not torch.equal(noise[0], noise[1])


def test_sigma_is_what_half_precision_will_see() -> None:
    config = tiny_config("nowhere", machine={"precision": "bf16"}, sigma={"shifted": True})
    made = task()
    encoded = made.inputs(sample(16, 16), 0, CPU)[0]
    sigma, noise = draw(config, made.model.spec, encoded, generator(0))
    assert torch.equal(sigma, sigma.bfloat16().float())
    assert noise.shape == encoded.clean.shape
    assert shift_of(made.model.spec, 16) == 3.0


def test_losses_of_pixels_need_pixels(tmp_path: Path) -> None:
    config = plain_config("nowhere", base={"model": str(save_vae(tmp_path))}, loss={"hole": 1.0, "alpha_median": True})
    with pytest.raises(ManifestError, match=r"loss\.alpha_median: only for the pixel codec, whose latents are pixels$"):
        make_layer_task(config, CPU)
