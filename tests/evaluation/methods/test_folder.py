"""Folders of predictions: what is read, what is missing, what does not fit."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.cache import Cache
from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.methods import METHODS, make_method
from evaluation.methods.folder import prediction_folder
from stages.codec import encode_png
from tests.evaluation.methods.scenes import scene

ITEM = scene()
RNG = np.random.default_rng(3)
BACKGROUND = RNG.integers(0, 256, (48, 64, 3), np.uint8)
ALPHA = RNG.integers(0, 256, (48, 64), np.uint8)
FOREGROUND = np.dstack([RNG.integers(0, 256, (48, 64, 3), np.uint8), ALPHA])
FOREGROUND[ALPHA == 0] = 0


def put(root: Path, name: str, pixels: np.ndarray) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))
    return path


def said(root: Path, item=ITEM) -> str:
    with pytest.raises(EvalError) as error:
        prediction_folder(root)(item)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("id", "name"), [("a-1", "a-1"), ("b/c d", "b/c d"), ("b/c d", "b%2Fc d")])
def test_layers_come_back(tmp_path: Path, id: str, name: str) -> None:
    put(tmp_path, f"{name}.background.png", BACKGROUND)
    put(tmp_path, f"{name}.foreground.png", FOREGROUND)
    answer = make_method(f"folder:{tmp_path}")[1].method(ITEM._replace(id=id))
    assert (answer.background == BACKGROUND).all()
    assert (answer.foreground == FOREGROUND).all()


def test_an_alpha_takes_the_picture_s_colours(tmp_path: Path) -> None:
    put(tmp_path, "a-1.alpha.png", ALPHA)
    Image.fromarray(np.clip(ALPHA.astype(int) * 257 + 100, 0, 65535).astype(np.uint16)).save(
        tmp_path / "deep.alpha.png"
    )
    for id in ("a-1", "deep"):
        answer = prediction_folder(tmp_path)(ITEM._replace(id=id))
        assert answer.background is None
        assert (answer.foreground[..., 3] == ALPHA).all()
        assert (answer.foreground[..., :3] == ITEM.picture * (ALPHA > 0)[..., None]).all()


def test_a_foreground_goes_before_an_alpha(tmp_path: Path) -> None:
    put(tmp_path, "a-1.alpha.png", 255 - ALPHA)
    put(tmp_path, "b.foreground.png", FOREGROUND)
    method = prediction_folder(tmp_path)
    assert (method(ITEM).foreground[..., 3] == 255 - ALPHA).all()
    put(tmp_path, "a-1.foreground.png", FOREGROUND)
    assert (method(ITEM).foreground == FOREGROUND).all()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    put(tmp_path, "other.background.png", BACKGROUND)
    assert said(tmp_path) == f"{tmp_path}/a-1.background.png: no such file"
    put(tmp_path, "a-1.background.png", BACKGROUND)
    assert prediction_folder(tmp_path)(ITEM).foreground is None
    put(tmp_path, "other.alpha.png", ALPHA)
    assert said(tmp_path) == f"{tmp_path}/a-1.alpha.png: no such file"
    put(tmp_path, "other.foreground.png", FOREGROUND)
    assert said(tmp_path) == f"{tmp_path}/a-1.foreground.png: no such file"


@pytest.mark.parametrize(
    ("name", "pixels"),
    [("background", BACKGROUND[:47]), ("foreground", FOREGROUND[:47]), ("alpha", ALPHA[:47])],
)
def test_another_size_is_told_with_both(tmp_path: Path, name: str, pixels: np.ndarray) -> None:
    path = put(tmp_path, f"a-1.{name}.png", pixels)
    assert said(tmp_path) == f"{path}: 64 x 47 pixels, its picture has 64 x 48"


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    path = put(tmp_path, "a-1.background.png", BACKGROUND)
    path.write_bytes(path.read_bytes()[:300])
    assert said(tmp_path).startswith(f"{path}: the image is ")
    put(tmp_path, "a-1.background.png", FOREGROUND)
    assert said(tmp_path).startswith(f"{path}: {int((ALPHA < 255).sum())} of 3072 pixels have alpha under 255")
    path.unlink()
    path = put(tmp_path, "a-1.alpha.png", BACKGROUND)
    assert said(tmp_path).startswith(f"{path}: channels differ by up to ")
    path.unlink()
    for opaque in (BACKGROUND, ALPHA):
        path = put(tmp_path, "a-1.foreground.png", opaque)
        assert said(tmp_path) == f"{path}: has no alpha; a foreground is RGBA"


def test_a_foreground_may_be_opaque_all_over(tmp_path: Path) -> None:
    opaque = np.dstack([BACKGROUND, np.full((48, 64), 255, np.uint8)])
    put(tmp_path, "a-1.foreground.png", opaque)
    assert (prediction_folder(tmp_path)(ITEM).foreground == opaque).all()


def test_folders_that_hold_no_predictions(tmp_path: Path) -> None:
    assert said(tmp_path / "x") == f"{tmp_path}/x: no such folder of predictions"
    put(tmp_path, "a-1.png", BACKGROUND)
    looked = "ID.background.png, ID.foreground.png, ID.alpha.png"
    assert said(tmp_path) == f"{tmp_path}: no predictions: looked for {looked}"
    with pytest.raises(EvalError, match=": no predictions: looked for"):
        make_method(f"folder:{tmp_path}")


def test_the_key_is_that_of_the_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put(one, "a-1.background.png", BACKGROUND)
    shutil.copytree(one, two)
    key = METHODS["folder"](path=str(one)).key
    put(two, "notes.png", BACKGROUND)
    assert METHODS["folder"](path=str(two)).key == key
    (two / "a-1.background.png").rename(two / "a-2.background.png")
    assert METHODS["folder"](path=str(two)).key != key
    put(one, "a-1.background.png", BACKGROUND[::-1])
    assert METHODS["folder"](path=str(one)).key != key


def test_what_a_run_kept_is_a_folder_of_predictions(tmp_path: Path) -> None:
    item = ITEM._replace(id="x/y")
    kept = Cache(tmp_path).answer(item, lambda _: Answer(BACKGROUND, FOREGROUND))[0]
    again = prediction_folder(tmp_path)(item)
    assert all((a == b).all() for a, b in zip(kept, again, strict=True))
