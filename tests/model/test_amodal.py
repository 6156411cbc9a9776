"""The amodal network: sizes, what it may see, its folder, and that it learns in the common loop."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from model.amodal import AmodalNet, load_amodal, save_amodal
from model.amodal_task import make_amodal_task
from model.config import TrainConfig
from model.held_out import held_out
from model.modalities import amodal_view
from model.train import train
from model.transformer import ModelError
from model.unet import UNet
from stages.settings import ManifestError
from tests.model.bases import plain_config
from tests.model.runs import last_state, train_interrupted
from tests.model.splits import write_splits
from tests.model.tiny import mask, picture

CPU = torch.device("cpu")


def net(seed: int = 0, width: int = 8) -> AmodalNet:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AmodalNet(width)


def config(data: str, **changes: Any) -> TrainConfig:
    optimiser = {"lr": 1e-2, "warmup": 2, "ema": 0.9}
    own = {"kind": "amodal", "base": {}, "adapt": {}, "amodal": {"width": 8}, "optimiser": optimiser}
    return plain_config(data, **(own | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_splits(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 48), (20, 33), (8, 12)])
def test_alpha_has_the_size_of_the_picture(height: int, width: int) -> None:
    found = net().alpha(picture(1, height=height, width=width), mask(2, height, width))
    assert found.shape == (2, 1, height, width)
    assert ((found > 0) & (found < 1)).all()


def test_padding_to_whole_levels_is_at_the_right_and_below() -> None:
    seen, marked = picture(1, height=16, width=32), mask(2, 16, 32)
    cut = net().alpha(seen[..., :30], marked[..., :30])
    seen[..., 30:], marked[..., 30:] = seen[..., 29:30], marked[..., 29:30]
    torch.testing.assert_close(cut, net().alpha(seen, marked)[..., :30])


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    seen, marked = picture(1, height=32, width=32), mask(2, 32, 32)
    each = torch.cat([net().alpha(seen[k : k + 1], marked[k : k + 1]) for k in (0, 1)])
    torch.testing.assert_close(net().alpha(seen, marked), each)


def test_every_pixel_may_read_every_other_one() -> None:
    seen = torch.zeros(1, 4, 64, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(net()(seen)[0, 0, 5, 60], seen)
    assert (gradient.abs().sum(1) > 0).all()


def test_the_convolutions_are_what_the_docstring_says() -> None:
    made = UNet(4, 1, 16)
    widths = [m.out_channels for m in made.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [16, 16, 32, 32, 64, 64, 96, 96, 128, 128, 16, 16, 32, 32, 64, 64, 96, 96, 1]


def test_a_folder_gives_the_same_network_back(tmp_path: Path) -> None:
    made = net(3)
    save_amodal(tmp_path / "a", made, torch.float32)
    found = load_amodal(str(tmp_path / "a"))
    assert found.width == 8
    assert all(torch.equal(a, b) for a, b in zip(made.parameters(), found.parameters(), strict=True))
    save_amodal(tmp_path / "b", made)
    rounded = load_amodal(str(tmp_path / "b"))
    assert all(
        torch.equal(a.bfloat16().float(), b) for a, b in zip(made.parameters(), rounded.parameters(), strict=True)
    )


def test_the_view_is_the_networks_alpha_without_a_gradient(tmp_path: Path) -> None:
    save_amodal(tmp_path, net(3), torch.float32)
    seen, marked = picture(1, height=16, width=16).requires_grad_(), mask(2, 16, 16)
    found = amodal_view(str(tmp_path))(seen.detach(), marked)
    assert found.shape == (2, 3, 16, 16)
    torch.testing.assert_close(found, (2 * net(3).alpha(seen, marked) - 1).expand(-1, 3, -1, -1))
    assert not found.requires_grad


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (None, r"amodal\.json: cannot be read"),
        ("{", r"amodal\.json: cannot be read"),
        ('{"format": 2, "width": 8}', r"amodal\.json: format must be 1, is 2"),
        ('{"format": 1}', r"amodal\.json: cannot be read"),
        ('{"format": 1, "width": 16}', r"amodal\.safetensors: cannot be read: .*size mismatch"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, about: str | None, text: str) -> None:
    save_amodal(tmp_path, net())
    path = tmp_path / "amodal.json"
    path.unlink() if about is None else path.write_text(about)
    with pytest.raises(ModelError, match=re.compile(re.escape(str(tmp_path)) + "/" + text, re.DOTALL)):
        load_amodal(str(tmp_path))


def test_it_learns(data: str, tmp_path: Path) -> None:
    out = train(config(data, steps=40, validate_every=20), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["losses"][0] for row in rows if "losses" in row]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    found = load_amodal(str(out))
    parts = held_out(config(data))
    task = make_amodal_task(config(data, base={"model": str(out)}))
    assert all(torch.equal(a, b) for a, b in zip(task.model.parameters(), found.parameters(), strict=True))
    checked = task.check(parts, CPU)
    truth = torch.cat([(p.foreground[:, 3:] + 1) / 2 for p in parts])
    made = torch.cat([found.alpha(p.composite, p.mask).detach() for p in parts])
    errors = [float((m - t).abs().mean()) for m, t in zip(made, truth, strict=True)]
    assert checked.scores["alpha_mae"] == pytest.approx(sum(errors) / len(errors), rel=1e-5)
    assert float(checked.losses) == pytest.approx(checked.scores["alpha_mae"])


def test_an_interrupted_run_ends_with_the_same_weights(data: str, tmp_path: Path) -> None:
    chosen = config(data, steps=6, checkpoint_every=2)
    train(chosen, tmp_path / "whole")
    train_interrupted(chosen, tmp_path / "parts", 4)
    train(chosen, tmp_path / "parts")
    whole, parts = last_state(tmp_path / "whole"), last_state(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_latents_are_refused(data: str) -> None:
    text = 'precomputed: kind = "amodal" learns from pictures'
    with pytest.raises(ManifestError, match=text):
        make_amodal_task(config(data, precomputed="latents"))
