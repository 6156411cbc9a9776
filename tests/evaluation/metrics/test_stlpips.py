"""ST-LPIPS with its real weights: against the package itself, and as it should behave."""

import importlib
import math
import sys

import numpy as np
import pytest
import torch

from evaluation.errors import EvalError
from evaluation.metrics.features import features
from evaluation.metrics.regions import regions
from evaluation.metrics.stlpips import StLpips
from tests.evaluation.metrics.pictures import damaged, disc, picture, strictly_rising


@pytest.fixture(scope="module")
def score():
    return StLpips()


def test_agrees_with_the_package(score):
    """Its own call, on pictures in [0, 1] that it scales itself."""
    truth = picture(1)
    made = damaged(truth, 2, 30)
    network = importlib.import_module("stlpips_pytorch.stlpips").LPIPS(
        net="alex", variant="shift_tolerant", verbose=False
    )
    a, b = (torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (made, truth))
    with torch.no_grad():
        expected = network(a, b, normalize=True).item()
    assert expected > 0.001
    assert score(made, truth) == pytest.approx(expected, rel=1e-4)


def test_says_what_it_is(score):
    assert score.name == "ST-LPIPS (AlexNet, stlpips-pytorch 0.0.2)"


def test_no_stand_in_is_left(score):
    for name in ("IPython", "torchsummary", "torchvision"):
        assert name not in sys.modules or sys.modules[name].__spec__ is not None


def test_equal_pictures_and_order(score):
    truth = picture(3)
    made = damaged(truth, 4, 40)
    assert score(truth, truth) == 0
    assert score(made, truth) == pytest.approx(score(truth, made), rel=1e-5)


def test_grows_with_damage(score):
    truth = picture(5)
    for region in (None, disc()):
        values = [score(damaged(truth, 6, levels), truth, region) for levels in (0, 10, 25, 50, 100)]
        assert strictly_rising(values)


def test_tolerates_a_shift_more_than_noise_of_the_same_psnr(score):
    wide = picture(7, 64, 66)
    truth, moved = wide[:, :-1], wide[:, 1:]
    levels = math.sqrt(np.mean((moved.astype(float) - truth) ** 2))
    assert score(moved, truth) < score(damaged(truth, 8, levels), truth) / 2


def test_a_region_is_pasted_into_the_truth(score):
    truth, region = picture(9), disc()
    made = damaged(truth, 10, 50)
    pasted = np.where(region[..., None], made, truth)
    assert score(made, truth, region) == pytest.approx(score(pasted, truth), rel=1e-4)
    elsewhere = np.where(region[..., None], made, 0).astype(np.uint8)
    assert score(elsewhere, truth, region) == score(made, truth, region)
    assert 0 < score(made, truth, region) < score(made, truth)


def test_all_regions_at_once(score):
    truth = picture(11)
    made = damaged(truth, 12, 30)
    found = score.by_region(made, truth, regions(disc(), 4) | {"none": disc() & ~disc()})
    assert list(found) == ["whole", "mask", "ring", "outside", "none"]
    assert math.isnan(found.pop("none"))
    for name, value in found.items():
        assert value == pytest.approx(score(made, truth, regions(disc(), 4)[name]), rel=1e-4)
    assert found["whole"] == pytest.approx(score(made, truth), rel=1e-4)
    assert math.isnan(score(made, truth, disc() & ~disc()))


@pytest.mark.parametrize(("height", "width"), [(31, 64), (64, 31)])
def test_too_small_a_picture(score, height, width):
    small = picture(13, height, width)
    text = rf"^ST-LPIPS .*: both sides must be at least 32 pixels, the picture is {width} x {height}$"
    with pytest.raises(EvalError, match=text):
        score(small, small)
    assert score(picture(13, 32, 32), picture(13, 32, 32)) == 0


def test_its_features(score):
    """The pooled last layer: 256 numbers, alike for alike pictures."""
    pictures = [picture(1), damaged(picture(1), 2, 3), picture(99)]
    found = features(pictures, score.extractor())
    assert found.shape == (3, 256)
    near, far = (np.linalg.norm(found[0] - found[i]) for i in (1, 2))
    assert near < far
    assert score.extractor().name == "ST-LPIPS AlexNet conv5"
