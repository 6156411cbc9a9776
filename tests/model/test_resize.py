"""Sizes, guided alpha and detail: against definitions in float64, and by what must not change."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.detail import Small, agreement, enlarge, enlarge_detailed, near, paste_known, pixel_of
from model.pictures import PictureError
from model.resize import guided_alpha, resample, working_mask, working_size
from tests.assets import cutout, photo

SIDES = st.integers(1, 3000)


def noise(seed: int, *shape: int, high: float = 255) -> np.ndarray:
    return np.random.default_rng([7, seed]).uniform(0, high, shape).astype(np.float32)


@given(SIDES, SIDES, st.sampled_from([64, 128, 512]), st.sampled_from([4, 16]))
def test_a_working_size_keeps_area_and_shape_as_near_as_steps_allow(height, width, size, step) -> None:
    h, w = working_size(height, width, size, step)
    assert h % step == w % step == 0
    exact = size * np.sqrt(height / width), size * np.sqrt(width / height)
    for made, wanted in zip((h, w), exact, strict=True):
        assert abs(made - max(wanted, step)) <= step / 2 + 1e-6


@pytest.mark.parametrize(
    ("given", "size", "step", "made"),
    [
        ((512, 512), 64, 4, (64, 64)),
        ((64, 64), 64, 4, (64, 64)),
        ((500, 1000), 64, 4, (44, 92)),
        ((9, 900), 64, 4, (8, 640)),
    ],
)
def test_working_sizes(given, size, step, made) -> None:
    assert working_size(*given, size, step) == made


def test_resampling_averages_areas_and_changes_nothing_at_the_same_size() -> None:
    picture = noise(0, 12, 8, 3)
    blocks = picture.reshape(3, 4, 2, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resample(picture, 3, 2), blocks, rtol=1e-5)
    assert (resample(picture, 12, 8) == picture).all()
    assert resample(picture[..., 0], 24, 4).shape == (24, 4)
    np.testing.assert_allclose(resample(np.full((5, 7), 3, np.uint8), 10, 2), 3, rtol=1e-6)


def test_a_mask_keeps_what_it_covers_by_half() -> None:
    mask = np.zeros((8, 8), np.bool_)
    mask[:4, :4] = True
    mask[4:6, 4:8] = True  # half of a block
    mask[4:6, :4] = [True, True, True, False]  # three eighths of one
    mask[6, 0] = True  # and a sixteenth
    assert working_mask(mask, 2, 2).tolist() == [[True, False], [False, True]]


def test_a_thin_mask_does_not_vanish_and_a_thin_gap_does_not_close() -> None:
    mask = np.zeros((8, 8), np.bool_)
    mask[2, 5] = True
    assert working_mask(mask, 2, 2).tolist() == [[False, True], [False, False]]
    assert working_mask(~mask, 2, 2).tolist() == [[True, False], [True, True]]


def test_a_mask_that_is_dense_alike_all_over_is_refused() -> None:
    with pytest.raises(PictureError, match=r"^mask: is 0\.5 all over at 2 x 4 pixels, where the model works$"):
        working_mask(np.indices((8, 8)).sum(axis=0) % 2 == 0, 4, 2)


def ridge(alpha: np.ndarray, guide: np.ndarray, y: int, x: int) -> np.ndarray:
    """(slope, offset) of one inner 3 x 3 window: the minimum of squared errors plus 9 epsilon |slope|^2 (eq. 4)."""
    colours = guide[y - 1 : y + 2, x - 1 : x + 2].reshape(9, 3).astype(np.float64)
    values = alpha[y - 1 : y + 2, x - 1 : x + 2].ravel().astype(np.float64)
    rows = np.vstack([np.hstack([colours, np.ones((9, 1))]), np.sqrt(9 * 1e-4) * np.eye(3, 4)])
    return np.linalg.lstsq(rows, np.append(values, np.zeros(3)), rcond=None)[0]


def test_guided_alpha_is_the_mean_of_ridge_regressions() -> None:
    guide, alpha = noise(1, 7, 7, 3), noise(2, 7, 7, high=1)
    fits = [ridge(alpha, guide / 255, y, x) for y in (2, 3, 4) for x in (2, 3, 4)]
    expected = np.append(guide[3, 3] / 255, 1) @ np.mean(fits, axis=0)
    assert guided_alpha(alpha, guide, guide)[3, 3] == pytest.approx(np.clip(expected, 0, 1), abs=1e-4)


def test_guided_alpha_finds_the_edge_between_small_pixels() -> None:
    """A red disc on blue: its alpha at 8 x 8 pixels, enlarged to 64 x 64, is much nearer with the picture's help."""
    y, x = np.mgrid[0:64, 0:64]
    alpha = (np.hypot(y - 30.5, x - 33.5) < 17).astype(np.float32)
    full = np.where(alpha[..., None] > 0, np.float32([200, 30, 30]), np.float32([30, 40, 180])).astype(np.float32)
    small = resample(full, 8, 8)
    guided = guided_alpha(resample(alpha, 8, 8), small, full)
    plain = resample(resample(alpha, 8, 8), 64, 64)
    assert np.abs(guided - alpha).mean() < 0.1 * np.abs(plain - alpha).mean()


def test_an_even_alpha_stays_even_over_any_picture() -> None:
    full = noise(3, 40, 40, 3)
    for level in (0.0, 0.25, 1.0):
        np.testing.assert_allclose(
            guided_alpha(np.full((8, 8), level, np.float32), resample(full, 8, 8), full), level, atol=1e-5
        )


def scene(size: int = 96) -> tuple[np.ndarray, Small]:
    """A photograph with an object in it, and its true layers, 6 times smaller."""
    rgba = cv2.resize(cutout(1), (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    ground = cv2.resize(photo(2), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = np.zeros((size, size), np.float32)
    colour = np.zeros((size, size, 3), np.float32)
    part = slice(size // 4, size // 4 + size // 2)
    alpha[part, part], colour[part, part] = rgba[..., 3] / 255, rgba[..., :3]
    picture = alpha[..., None] * colour + (1 - alpha[..., None]) * ground
    side = size // 6
    covered = resample(alpha, side, side)
    seen = resample(colour * alpha[..., None], side, side) / np.maximum(covered, 1e-3)[..., None]
    return picture, Small(resample(picture, side, side), resample(ground, side, side), seen, covered)


def test_true_layers_are_enlarged_with_the_picture_s_detail() -> None:
    picture, small = scene()
    mask = resample(small.alpha, 96, 96) > 0.5
    plain, full = enlarge(small, 96, 96), enlarge_detailed(small, picture, mask)
    inside, far = resample(small.alpha, 96, 96) > 0.98, cv2.dilate(mask.astype(np.uint8), np.ones((49, 49))) == 0
    assert inside.any()
    assert far.any()
    for layer, where in (("colour", inside), ("background", far)):
        errors = [np.abs(getattr(made, layer) - picture)[where].mean() for made in (plain, full)]
        assert errors[1] < 0.25 * errors[0]


def test_the_background_that_a_soft_object_lets_through_is_taken_out_of_its_colour() -> None:
    colour, ground = np.float32([180, 60, 90]), np.float32([20, 120, 220])
    level = np.float32(0.875)

    def even(side: int, value: np.ndarray) -> np.ndarray:
        return np.broadcast_to(value, (side, side, *value.shape)).astype(np.float32)

    picture = even(32, level * colour + (1 - level) * ground)
    small = Small(even(8, picture[0, 0]), even(8, ground), even(8, colour), even(8, level))
    made = enlarge_detailed(small, picture, np.ones((32, 32), np.bool_))
    np.testing.assert_allclose(made.colour, even(32, colour), atol=0.01)


def test_colours_that_alpha_hides_do_not_bleed() -> None:
    alpha = np.zeros((8, 8), np.float32)
    alpha[:, :4] = 1
    colour = np.where(alpha[..., None] > 0, np.float32(200), np.float32(0)).repeat(3, axis=2)
    made = enlarge(Small(colour, colour, colour, alpha), 32, 32)
    assert made.colour[made.alpha > 0.3].min() > 180
    assert made.colour[made.alpha == 0].max() == 0


def test_inside_mask_and_object_the_background_is_the_model_s() -> None:
    picture, ground = noise(10, 64, 128, 3), noise(11, 8, 16, 3)
    left, right = np.zeros((8, 16), np.float32), np.zeros((64, 128), np.bool_)
    left[:, :2], right[:, 112:] = 1, True
    small = Small(resample(picture, 8, 16), ground, ground, left)
    made, plain = enlarge_detailed(small, picture, right).background, enlarge(small, 64, 128).background
    assert np.abs(made - plain)[:, :8].max() < 3  # alpha has edges of the noise
    assert (made == plain)[:, 112:].all()
    assert np.abs(made - plain)[:, 50:80].mean() > 20


def test_a_hidden_part_of_the_object_is_not_taken_from_the_picture() -> None:
    picture, small = scene()
    alpha = np.ones_like(small.alpha)  # all of the picture is the object, in a colour that is not the picture's
    other = Small(small.picture, small.background, 255 - small.picture, alpha)
    hidden = np.abs(other.colour - small.picture).max(axis=2) > 96
    assert agreement(other)[hidden].max() < 1e-3
    made = enlarge_detailed(other, picture, np.ones(picture.shape[:2], np.bool_))
    deep = resample(cv2.erode(hidden.astype(np.uint8), np.ones((3, 3))), 96, 96) == 1
    assert deep.any()
    np.testing.assert_allclose(made.colour[deep], enlarge(other, 96, 96).colour[deep], atol=0.6)


def test_a_slow_change_of_the_background_stays() -> None:
    """The model lifted a shadow: the background is brighter by 20 than the picture all over."""
    picture, small = scene()
    nothing = Small(small.picture, small.picture + 20, small.colour, np.zeros_like(small.alpha))
    mask = np.zeros(picture.shape[:2], np.bool_)
    mask[:2, :2] = True
    made = enlarge_detailed(nothing, picture, mask).background[30:, 30:]
    np.testing.assert_allclose(made, np.minimum(picture[30:, 30:] + 20, 255), atol=1e-3)


def test_at_the_same_size_alpha_and_background_are_the_model_s() -> None:
    layers = Small(noise(4, 8, 8, 3), noise(5, 8, 8, 3), noise(6, 8, 8, 3), noise(7, 8, 8, high=1))
    plain = enlarge(layers, 8, 8)
    detailed = enlarge_detailed(layers, layers.picture, layers.alpha > 0.5)
    assert (plain.colour == layers.colour).all()
    for made in (plain, detailed):
        assert (made.background == layers.background).all()
        assert (made.alpha == layers.alpha).all()


@pytest.mark.parametrize("reach", [1, 3])
def test_near_is_one_on_the_mask_and_ends_at_twice_the_reach(reach: int) -> None:
    cover = np.zeros((41, 41), np.float32)
    cover[20, 20] = 1
    y, x = np.mgrid[0:41, 0:41]
    distance = np.maximum(abs(y - 20), abs(x - 20))
    weight = near(cover, reach)
    assert weight[20, 20] == 1
    assert (weight[distance > 2 * reach] == 0).all()
    assert (weight[distance <= 2 * reach] > 0).all()


def test_pasting_keeps_the_picture_far_away_and_the_background_inside() -> None:
    picture, background = (noise(i, 30, 40, 3).astype(np.uint8) for i in (8, 9))
    mask = np.zeros((30, 40), np.bool_)
    mask[10:20, 5:15] = True
    made = paste_known(background, picture, mask, 2)
    outside = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) == 0
    assert (made[mask] == background[mask]).all()
    assert (made[outside] == picture[outside]).all()
    assert (made[~mask & ~outside] != picture[~mask & ~outside]).any()


def test_a_pixel_of_the_small_picture_is_rounded_up() -> None:
    assert pixel_of(np.zeros((8, 8), np.float32), np.zeros((8, 17, 3), np.uint8)) == 3
    assert pixel_of(np.zeros((64, 64), np.float32), np.zeros((30, 30, 3), np.uint8)) == 1
