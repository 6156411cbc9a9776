"""Edits by layers: exact where nothing is resampled, and otherwise by what they must keep."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from model.__main__ import app
from model.commands.edit import edit_folder
from model.edit import Edit, edit, recoloured
from model.pictures import PictureError
from model.recolour import tint, to_levels, to_linear, turn_hue
from stages.alpha import over_rgb
from stages.codec import decode_png, encode_png
from stages.settings import ManifestError
from stages.types import Patch
from tests.assets import cutout, photo

HEIGHT, WIDTH = 180, 240
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def layers() -> tuple[np.ndarray, np.ndarray]:
    """A soft-edged object at (60, 40), and a photograph."""
    small = cv2.resize(cutout(3), (90, 80), interpolation=cv2.INTER_AREA)
    small[small[..., 3] == 0] = 0
    foreground = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    foreground[40:120, 60:150] = small
    return foreground, np.ascontiguousarray(photo(1)[:HEIGHT, :WIDTH])


def over(foreground: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The exact value rounded to nearest, in integers."""
    a = foreground[..., 3:].astype(np.int64)
    return ((a * foreground[..., :3] + (255 - a) * background + 127) // 255).astype(np.uint8)


def test_no_change_is_the_recomposed_picture(layers) -> None:
    recomposed = layers[1].copy()
    over_rgb(recomposed, Patch(layers[0], 0, 0))
    assert (edit(*layers, Edit()) == recomposed).all()
    assert (recomposed == over(*layers)).all()


@pytest.mark.parametrize("move", [(7, 0), (-13, 22), (0, -70), (400, 5), (-300, -300)])
def test_a_move_shifts_the_object(layers, move) -> None:
    foreground, background = layers
    right, down = move
    shifted = np.zeros_like(foreground)
    for y, x in np.argwhere(foreground[..., 3] > 0):
        if 0 <= y + down < HEIGHT and 0 <= x + right < WIDTH:
            shifted[y + down, x + right] = foreground[y, x]
    assert (edit(foreground, background, Edit(move=move)) == over(shifted, background)).all()


def test_a_flip_mirrors_about_the_middle_of_the_object_s_box(layers) -> None:
    foreground, background = layers
    x, y, w, h = cv2.boundingRect(foreground[..., 3])
    mirrored = foreground.copy()
    mirrored[y : y + h, x : x + w] = foreground[y : y + h, x : x + w][:, ::-1]
    assert (edit(foreground, background, Edit(flip=True)) == over(mirrored, background)).all()
    assert (edit(mirrored, background, Edit(flip=True)) == edit(foreground, background, Edit())).all()
    assert not (edit(foreground, background, Edit(flip=True)) == edit(foreground, background, Edit())).all()


def test_removal_leaves_the_background_and_the_inputs_alone(layers) -> None:
    before = [layer.copy() for layer in layers]
    made = edit(*layers, Edit(remove=True))
    assert (made == layers[1]).all()
    made[:] = 0
    edit(*layers, Edit(move=(3, 3), recolour="#ff0000"))
    assert all((a == b).all() for a, b in zip(before, layers, strict=True))


def test_without_an_object_there_is_nothing_to_change(layers) -> None:
    empty = np.zeros_like(layers[0])
    assert (edit(empty, layers[1], Edit(scale=3.0, flip=True, move=(4, 4))) == layers[1]).all()


def alpha_of(foreground: np.ndarray, change: Edit) -> np.ndarray:
    """The object's alpha after a change: white on black."""
    white = np.where(foreground[..., 3:] > 0, np.uint8(255), np.uint8(0)).repeat(4, axis=2)
    white[..., 3] = foreground[..., 3]
    return edit(white, np.zeros((*foreground.shape[:2], 3), np.uint8), change)[..., 0].astype(np.float64) / 255


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.9, 1.1, 1.5, 2.0])
def test_scaling_keeps_the_middle_and_squares_the_area(layers, scale: float) -> None:
    before, after = alpha_of(layers[0], Edit()), alpha_of(layers[0], Edit(scale=scale))
    assert after.sum() == pytest.approx(scale**2 * before.sum(), rel=0.03)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    bx, by, bw, bh = cv2.boundingRect(layers[0][..., 3])
    for grid, middle in ((x, bx + bw / 2), (y, by + bh / 2)):
        centres = [(grid * a).sum() / a.sum() - middle for a in (before, after)]
        assert centres[1] == pytest.approx(scale * centres[0], abs=0.1 if scale > 1 else 0.6)  # smaller: whole pixels


@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_scaling_brings_no_colour_from_under_alpha_0(scale: float) -> None:
    """A red square whose surroundings are green under alpha 0: only red over grey comes out."""
    foreground = np.zeros((60, 60, 4), np.uint8)
    foreground[..., 1] = 255
    foreground[20:41, 20:41] = (200, 0, 0, 255)
    foreground[20:41, 20, 3] = 90
    made = edit(foreground, np.full((60, 60, 3), 50, np.uint8), Edit(scale=scale)).astype(int)
    assert made[..., 1].max() <= 50
    assert made[..., 0].max() == 200
    share = (made[..., 0] - 50) / 150
    assert np.abs(made[..., 1] - 50 * (1 - share)).max() <= 1.5


def test_a_huge_scale_fills_the_picture_with_the_object(layers) -> None:
    made = alpha_of(layers[0], Edit(scale=50))
    assert made.shape == (HEIGHT, WIDTH)
    assert made.min() == 1


@given(st.integers(0, 2**24 - 1), st.floats(0, 360, allow_nan=False))
def test_recolouring_keeps_luminance(colour: int, hue: float) -> None:
    rgb = np.random.default_rng(colour).integers(0, 256, (64, 3), dtype=np.uint8)[None]
    target = (colour >> 16, colour >> 8 & 255, colour & 255)
    for made in (turn_hue(rgb, hue), tint(rgb, target)):
        before, after = (linear(p) @ LUMINANCE for p in (rgb, made))
        # half a level of each channel, at the slope of the transfer curve there
        assert (np.abs(before - after) <= 0.5 * slope(made) @ LUMINANCE + 1e-5).all()


def linear(levels: np.ndarray) -> np.ndarray:
    encoded = levels.astype(np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def slope(levels: np.ndarray) -> np.ndarray:
    """The most that linear light changes within one level up or down."""
    up = linear(np.minimum(levels.astype(int) + 1, 255)) - linear(levels)
    down = linear(levels) - linear(np.maximum(levels.astype(int) - 1, 0))
    return np.maximum(up, down)


def test_linear_light_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(to_linear(levels), linear(levels), rtol=1e-6)
    assert (to_levels(to_linear(levels)) == levels).all()


def test_a_hue_turns_colours_and_leaves_greys() -> None:
    grey = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None], 3, axis=1)[None]
    assert (turn_hue(grey, 200.0) == grey).all()
    red = np.array([[[180, 20, 20]]], np.uint8)
    assert turn_hue(red, 120.0)[0, 0].argmax() == 1
    assert turn_hue(red, 240.0)[0, 0].argmax() == 2
    assert np.abs(turn_hue(red, 0.0).astype(int) - red).max() <= 1  # it has that hue
    assert (turn_hue(red, 360.0) == turn_hue(red, 0.0)).all()


def test_a_tint_has_the_colour_itself_at_its_own_luminance() -> None:
    colour = np.array([30, 144, 255], np.uint8)
    level = to_levels(np.float32([linear(colour) @ LUMINANCE]))[0]
    made = tint(np.full((1, 1, 3), level, np.uint8), (30, 144, 255))[0, 0]
    assert np.abs(made.astype(int) - colour).max() <= 2
    assert (tint(np.uint8([[[0, 0, 0], [255, 255, 255]]]), (30, 144, 255)) == [[[0, 0, 0], [255, 255, 255]]]).all()
    greys = tint(np.uint8([[[90, 10, 200]]]), (0, 0, 0))[0, 0]
    assert len(set(greys.tolist())) == 1


@pytest.mark.parametrize("colour", ["210", "#1e90ff"])
def test_recolouring_keeps_alpha_and_nothing_under_alpha_0(layers, colour: str) -> None:
    foreground, background = layers[0].copy(), layers[1]
    foreground[foreground[..., 3] == 0] = (200, 100, 50, 0)
    made = recoloured(foreground, colour)
    assert (made[..., 3] == foreground[..., 3]).all()
    assert (made[foreground[..., 3] == 0] == 0).all()
    assert (made[..., :3] != foreground[..., :3]).any()
    assert (edit(foreground, background, Edit(recolour=colour)) == over(made, background)).all()


@pytest.fixture
def folder(layers, tmp_path: Path) -> Path:
    for name, layer in zip(("foreground", "background"), layers, strict=True):
        (tmp_path / f"{name}.png").write_bytes(encode_png(layer))
    return tmp_path


def test_the_command_writes_what_the_function_gives(layers, folder: Path) -> None:
    out = folder / "new" / "edited.png"
    args = [
        "edit",
        str(folder),
        "--move",
        "-40,10",
        "--scale",
        "1.2",
        "--flip",
        "--recolour",
        "#1e90ff",
        "-o",
        str(out),
    ]
    result = CliRunner().invoke(app, args)
    assert (result.exception, result.output) == (None, "")
    change = Edit(move=(-40, 10), scale=1.2, flip=True, recolour="#1e90ff")
    assert (decode_png(out.read_bytes()) == edit(*layers, change)).all()
    assert CliRunner().invoke(app, ["edit", str(folder), "--remove", "-o", str(out)]).exception is None
    assert (decode_png(out.read_bytes()) == layers[1]).all()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"move": "40"}, "edit: move: must be two whole numbers of pixels, right and down, such as 40,-10 (got '40')"),
        ({"move": "1.5,2"}, "edit: move: must be two whole numbers of pixels, right and down, such as 40,-10"),
        ({"move": "1,9999999"}, "edit: move[1]: input should be less than or equal to 100000 (got 9999999)"),
        ({"scale": 0.0}, "edit: scale: input should be greater than or equal to 0.01 (got 0.0)"),
        (
            {"recolour": "red"},
            "edit: recolour: must be a hue in degrees, 0 to 360, or a colour like #1e90ff (got 'red')",
        ),
        (
            {"recolour": "361"},
            "edit: recolour: must be a hue in degrees, 0 to 360, or a colour like #1e90ff (got '361')",
        ),
        ({"remove": True, "flip": True}, "edit: remove: leaves no object to change; give it alone"),
    ],
)
def test_wrong_values_are_told(folder: Path, given: dict, text: str) -> None:
    with pytest.raises((ManifestError, PictureError)) as error:
        edit_folder(folder, given, folder / "x.png")
    assert str(error.value).startswith(text)
    assert not (folder / "x.png").exists()


def test_layers_that_are_missing_or_unfit_are_told(folder: Path) -> None:
    with pytest.raises(PictureError, match=r"x\.jpg: pictures are written as PNG; its name must end in \.png$"):
        edit_folder(folder, {}, folder / "x.jpg")
    (folder / "background.png").write_bytes(encode_png(np.zeros((20, 30, 3), np.uint8)))
    with pytest.raises(
        PictureError, match=r"foreground\.png has 240 x 180 pixels, background\.png 30 x 20; must be equal$"
    ):
        edit_folder(folder, {}, folder / "x.png")
    (folder / "foreground.png").unlink()
    with pytest.raises(
        PictureError, match=r"foreground\.png: no such file; `layerloom decompose PHOTO -o .*` writes it$"
    ):
        edit_folder(folder, {}, folder / "x.png")
