"""Baselines without a network: against their libraries, plain numpy, and what any filling must keep."""

import cv2
import numpy as np
import pytest
import torch
from skimage.restoration import inpaint_biharmonic

from evaluation.errors import EvalError
from evaluation.methods import METHODS
from evaluation.sample import Item
from model.fill import smooth_fill
from tests.evaluation.methods.scenes import check_filled, scene

FILLERS = ("mean-fill", "telea", "navier-stokes", "biharmonic", "smooth-fill")


def background(kind: str, item: Item, **options) -> np.ndarray:
    return METHODS[kind](**options).method(item).background


@pytest.mark.parametrize("kind", [*FILLERS, "copy-input"])
def test_only_the_mask_changes_and_it_is_the_alpha(kind: str) -> None:
    for item in (scene(), scene(37, 50, seed=1)):
        picture, mask = item.picture.copy(), item.mask.copy()
        method = METHODS[kind]().method
        answer = method(item)
        check_filled(item, answer)
        assert (item.picture == picture).all()
        assert (item.mask == mask).all()
        assert (method(item).background == answer.background).all()


@pytest.mark.parametrize(("kind", "options"), [*((k, {}) for k in FILLERS), ("biharmonic", {"pixels": 1000})])
def test_nothing_under_the_mask_is_seen(kind: str, options: dict[str, int]) -> None:
    item = scene(70, 90)
    assert item.mask.sum() > 1100
    other = item.picture.copy()
    other[item.mask] = np.random.default_rng(5).integers(0, 256, (int(item.mask.sum()), 3))
    made = background(kind, item, **options)
    assert (made == background(kind, item._replace(picture=other), **options)).all()
    assert (made != item.picture).any()


@pytest.mark.parametrize("kind", FILLERS)
def test_one_colour_stays_one_colour(kind: str) -> None:
    item = scene()
    flat = np.full_like(item.picture, (30, 141, 222))
    flat[item.mask] = 255
    error = np.abs(background(kind, item._replace(picture=flat)).astype(int) - (30, 141, 222)).max()
    assert error <= (5 if kind == "telea" else 1)  # OpenCV rounds each pixel and goes on from it


@pytest.mark.parametrize("kind", FILLERS)
def test_masks_that_are_empty_full_or_missing(kind: str) -> None:
    item, method = scene(), METHODS[kind]().method
    empty = method(item._replace(mask=item.mask & False))
    assert (empty.background == item.picture).all()
    assert not empty.foreground.any()
    with pytest.raises(EvalError) as error:
        method(item._replace(mask=item.mask | True))
    assert str(error.value) == f"a-1: its mask marks the whole picture, which leaves '{kind}' nothing to fill it from"
    with pytest.raises(EvalError, match=f"^a-1: has no mask, which '{kind}' needs$"):
        method(item._replace(mask=None))


def test_copy_input_and_the_mask_alone_take_any_mask() -> None:
    item = scene()
    for mask in (item.mask, item.mask | True, item.mask & False):
        copied, alone = (METHODS[kind]().method(item._replace(mask=mask)) for kind in ("copy-input", "mask-as-alpha"))
        assert (copied.background == item.picture).all()
        assert copied.background is not item.picture
        assert alone.background is None
        assert (alone.foreground == copied.foreground).all()
        assert (alone.foreground[..., 3] == 255 * mask).all()
    for kind in ("copy-input", "mask-as-alpha"):
        with pytest.raises(EvalError, match=f"^a-1: has no mask, which '{kind}' needs$"):
            METHODS[kind]().method(item._replace(mask=None))


def test_the_mean_is_that_of_the_pixels_outside_the_mask() -> None:
    item = scene()
    sums, count = [0, 0, 0], 0
    for y in range(48):
        for x in range(64):
            if not item.mask[y, x]:
                sums = [s + int(v) for s, v in zip(sums, item.picture[y, x], strict=True)]
                count += 1
    assert (background("mean-fill", item)[item.mask] == [round(s / count) for s in sums]).all()
    tiny = Item("b", np.array([[[10, 0, 5], [15, 1, 5], [99, 99, 99]]], np.uint8), np.array([[False, False, True]]))
    assert background("mean-fill", tiny)[0, 2].tolist() == [12, 0, 5]  # 12.5 and 0.5, to even


@pytest.mark.parametrize(("kind", "flag"), [("telea", cv2.INPAINT_TELEA), ("navier-stokes", cv2.INPAINT_NS)])
def test_opencv_s_methods_are_opencv_s(kind: str, flag: int) -> None:
    item = scene()
    for options, radius in (({}, 3), ({"radius": 9}, 9)):
        direct = cv2.inpaint(item.picture, 255 * item.mask.astype(np.uint8), radius, flag)
        assert (background(kind, item, **options)[item.mask] == direct[item.mask]).all()
    if kind == "telea":
        assert (background(kind, item) != background(kind, item, radius=9)).any()


def test_biharmonic_is_scikit_image_s_for_masks_that_are_small_enough() -> None:
    item = scene()
    direct = inpaint_biharmonic(item.picture / 255, item.mask, channel_axis=-1)
    assert (background("biharmonic", item)[item.mask] == np.rint(255 * direct[item.mask])).all()


@pytest.mark.parametrize(("pixels", "bound"), [(1_000_000, 0), (1_000, 1)])
def test_biharmonic_continues_a_ramp(pixels: int, bound: float) -> None:
    """Linear functions are biharmonic; solved at 0.45 of the size they come back up to rounding."""
    y, x = np.mgrid[:120, :150]
    ramp = np.dstack([y + 0 * x, 200 - x, 149 + y - x])
    mask = np.hypot(y - 60, x - 70) < 40
    picture = np.where(mask[..., None], 0, ramp).astype(np.uint8)
    made = background("biharmonic", Item("r", picture, mask), pixels=pixels)
    assert np.abs(made[mask].astype(int) - ramp[mask]).max() <= bound


@pytest.mark.parametrize("step", [15, 2])
def test_lines_thinner_than_a_small_pixel_are_filled_from_around(step: int) -> None:
    """At the size that is solved, every pixel is known in part where each second line is masked."""
    picture = np.full((150, 150, 3), 100, np.uint8)
    mask = np.zeros((150, 150), bool)
    mask[1:150:step] = True
    picture[mask] = 255
    assert (background("biharmonic", Item("t", picture, mask), pixels=1000) == 100).all()


def test_the_smooth_fill_is_the_model_s() -> None:
    item = scene(37, 50)
    planes = torch.from_numpy(item.picture.transpose(2, 0, 1)[None] / 127.5 - 1).float()
    made = smooth_fill(planes, torch.from_numpy(~item.mask[None, None]).float())
    levels = (made[0].numpy().transpose(1, 2, 0) + 1) * 127.5
    assert np.abs(background("smooth-fill", item)[item.mask] - levels[item.mask]).max() <= 0.51
