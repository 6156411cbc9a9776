"""The runner of LaMa's TorchScript file, on tiny scripted modules whose answer is known."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluation.errors import EvalError
from evaluation.methods import METHODS, make_method
from tests.evaluation.methods.scenes import check_filled, scene


class Mean(nn.Module):
    """Fills with the mean of what is known, plus `shift`, and changes all other pixels; takes multiples of 8 only."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor(shift))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        assert image.shape[0] == 1
        assert image.shape[1] == 3
        assert mask.shape[1] == 1
        assert image.shape[2] % 8 == 0
        assert image.shape[3] % 8 == 0
        assert image.shape[2:] == mask.shape[2:]
        known = 1 - mask
        mean = (image * known).sum(dim=[2, 3], keepdim=True) / known.sum()
        return (mean + self.shift) * mask + (1 - image) * known


class Odd(nn.Module):
    """`what` is wrong with the answer."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        if self.what == "small":
            return image[:, :, 1:]
        if self.what == "nan":
            return image / 0 * mask
        raise ValueError("no such picture")


class Pair(nn.Module):
    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return image, mask


def save(module: nn.Module, path: Path) -> str:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        torch.jit.script(module).save(str(path))
    return str(path)


@pytest.fixture
def mean(tmp_path: Path) -> str:
    return save(Mean(0.1), tmp_path / "mean.pt")


@pytest.mark.parametrize(("height", "width"), [(48, 64), (37, 50), (17, 41)])
def test_the_padding_mirrors_picture_and_mask(mean: str, height: int, width: int) -> None:
    item = scene(height, width)
    method = make_method(f"lama:{mean}")[1].method
    answer = method(item)
    check_filled(item, answer)
    more = ((0, -height % 8), (0, -width % 8))
    picture, mask = np.pad(item.picture, (*more, (0, 0)), mode="symmetric"), np.pad(item.mask, more, mode="symmetric")
    expected = picture[~mask].mean(axis=0) + 25.5
    assert np.abs(answer.background[item.mask] - expected).max() <= 0.51
    assert (method(item).background == answer.background).all()


def test_levels_beyond_white_are_white(tmp_path: Path) -> None:
    item = scene()
    made = make_method(f"lama:{save(Mean(3.0), tmp_path / 'bright.pt')}")[1].method(item)
    assert (made.background[item.mask] == 255).all()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (Odd("small"), r"made \(1, 3, 47, 64\), must be \(1, 3, 48, 64\) and finite"),
        (Odd("nan"), r"made \(1, 3, 48, 64\), must be \(1, 3, 48, 64\) and finite"),
        (Odd("raise"), "builtins.ValueError: no such picture"),
        (Pair(), r"made tuple, must be \(1, 3, 48, 64\) and finite"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path: Path, module: nn.Module, text: str) -> None:
    path = save(module, tmp_path / "odd.pt")
    with pytest.raises(EvalError, match=f"^a-1: {path}: {text}$"):
        make_method(f"lama:{path}")[1].method(scene())


def test_files_that_cannot_be_loaded(tmp_path: Path, mean: str) -> None:
    gone, odd = tmp_path / "gone.pt", tmp_path / "odd.pt"
    odd.write_text("no network")
    with pytest.raises(EvalError) as error:
        make_method(f"lama:{gone}")
    advice = "it must be LaMa as TorchScript, such as big-lama.pt"
    assert str(error.value) == f"method 'lama': {gone}: no such file; {advice}"
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pt")
    for path in (odd, tmp_path / "state.pt"):
        with pytest.raises(EvalError, match=f"^method 'lama': {path}: cannot be loaded: [^\n]*$"):
            make_method(f"lama:{path}")
    with pytest.raises(EvalError, match=r"^method 'lama': .*: cannot be loaded: device: 'nowhere' cannot be used here"):
        make_method(f"lama:{mean}?device=nowhere")


def test_the_key_is_that_of_the_weights(tmp_path: Path, mean: str) -> None:
    copy = tmp_path / "copy.pt"
    copy.write_bytes(Path(mean).read_bytes())
    other = save(Mean(0.2), tmp_path / "other.pt")
    one, two, three = (METHODS["lama"](path=str(path)).key for path in (mean, copy, other))
    assert one == two != three
