"""LPIPS from local files, with random weights: against an assembly of torchmetrics' parts and plain convolutions."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torchmetrics.functional.image.lpips import NetLinLayer, ScalingLayer, _normalize_tensor

from evaluation.errors import EvalError
from evaluation.metrics.lpips import Lpips
from tests.evaluation.metrics.pictures import DAMAGE, damaged, disc, picture, strictly_rising

SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
CHANNELS = (64, 192, 384, 256, 256)


def state(seed):
    """Random weights under torchvision's and the authors' names, as they are published."""
    g = torch.Generator().manual_seed(seed)
    trunk, heads = {}, {}
    for i, (out, into, size) in SHAPES.items():
        deviation = math.sqrt(2 / (into * size * size))
        trunk[f"features.{i}.weight"] = torch.randn(out, into, size, size, generator=g) * deviation
        trunk[f"features.{i}.bias"] = torch.randn(out, generator=g) * 0.1
    trunk["classifier.1.weight"] = torch.zeros(2, 2)
    for i, channels in enumerate(CHANNELS):
        heads[f"lin{i}.model.1.weight"] = torch.rand(1, channels, 1, 1, generator=g)
    return trunk, heads


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    for name, weights in zip(("alexnet.pth", "lin.pth"), state(1), strict=True):
        torch.save(weights, folder / name)
    return folder / "alexnet.pth", folder / "lin.pth"


@pytest.fixture(scope="module")
def score(files):
    return Lpips(*files)


def expected(made, truth):
    """The distance put together from torchmetrics' layers."""
    trunk, heads = state(1)
    geometry = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}

    def layers(pixels):
        x = ScalingLayer()(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1)
        for i, (stride, padding) in geometry.items():
            x = F.max_pool2d(x, 3, 2) if i in (3, 6) else x
            x = F.relu(F.conv2d(x, trunk[f"features.{i}.weight"], trunk[f"features.{i}.bias"], stride, padding))
            yield _normalize_tensor(x)

    total = 0.0
    for i, (a, b) in enumerate(zip(layers(made), layers(truth), strict=True)):
        head = NetLinLayer(CHANNELS[i], use_dropout=True).eval()
        head.load_state_dict({"model.1.weight": heads[f"lin{i}.model.1.weight"]})
        total += head((a - b) ** 2).mean().item()
    return total


@pytest.mark.parametrize(("height", "width"), [(48, 56), (32, 32), (67, 40)])
def test_agrees_with_torchmetrics_parts(score, height, width):
    truth = picture(2, height, width)
    made = damaged(truth, 3, 40)
    value = score(made, truth)
    assert value > 0.01
    assert value == pytest.approx(expected(made, truth), rel=1e-3)


def test_behaves_as_a_distance(score):
    truth = picture(4)
    made = damaged(truth, 5, 30)
    assert score.name == "LPIPS (AlexNet, 0.1)"
    assert score(truth, truth) == 0
    assert score(made, truth) == pytest.approx(score(truth, made), rel=1e-4)
    assert strictly_rising([score(damaged(truth, 6, levels), truth) for levels in DAMAGE])
    assert 0 < score(made, truth, disc()) < score(made, truth)


def test_files_that_cannot_be_used(files, tmp_path):
    backbone, linear = files
    damage = tmp_path / "damaged.pth"
    damage.write_bytes(backbone.read_bytes()[:1000])
    with pytest.raises(EvalError, match=rf"^{damage}: cannot be read as LPIPS weights: "):
        Lpips(damage, linear)
    with pytest.raises(EvalError, match=rf"^{tmp_path}/none.pth: cannot be read as LPIPS weights: .*No such file"):
        Lpips(backbone, tmp_path / "none.pth")
    with pytest.raises(EvalError, match=rf"^{linear}: no weight features.0.weight$"):
        Lpips(linear, backbone)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(EvalError, match=r"list.pth: must hold a state dictionary, holds a list$"):
        Lpips(backbone, tmp_path / "list.pth")
    vgg = state(1)[1] | {"lin0.model.1.weight": torch.zeros(1, 128, 1, 1)}
    torch.save(vgg, tmp_path / "vgg.pth")
    text = r"vgg.pth: lin0.model.1.weight must be \(1, 64, 1, 1\), is \(1, 128, 1, 1\)$"
    with pytest.raises(EvalError, match=text):
        Lpips(backbone, tmp_path / "vgg.pth")
