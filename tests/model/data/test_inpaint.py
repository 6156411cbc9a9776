"""Crops and holes of the base's task."""

import numpy as np
import pytest

from model.data.inpaint import random_crop, random_hole

Y, X = np.mgrid[:96, :96]
MAP = np.dstack([X, Y, np.zeros_like(X)]).astype(np.uint8)  # a pixel says where it is
SHAPE = (X[:40, :56] - 20) ** 2 + (Y[:40, :56] - 15) ** 2 < 100


@pytest.mark.parametrize("size", [(32, 32), (48, 24), (24, 48), (96, 96)])
def test_crops_are_upright_parts_of_the_picture(size: tuple[int, int]) -> None:
    rng, spans = np.random.default_rng(0), []
    for _ in range(200):
        made = random_crop(MAP, *size, rng, flip=0.0).astype(int)
        assert made.shape == (size[1], size[0], 3)
        across, down = made[0, -1, 0] - made[0, 0, 0], made[-1, 0, 1] - made[0, 0, 1]
        spans.append((across + 1) / size[0])
        assert across + 1 >= size[0] - 1
        assert abs((across + 1) / size[0] - (down + 1) / size[1]) < 0.15
        assert np.abs(made[:, :, 0] - made[:1, :, 0]).max() <= 1  # rounding
    most = 96 / max(size)
    if most > 1:
        assert min(spans) < 1.15
        assert max(spans) > 0.85 * most
        assert 0.35 < np.mean(np.array(spans) < most**0.5) < 0.65, "scales are not log-uniform"


@pytest.mark.parametrize(("flip", "share"), [(0.0, (0, 0)), (0.5, (0.35, 0.65)), (1.0, (1, 1))])
def test_crops_are_mirrored_as_often_as_asked(flip: float, share: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    made = [random_crop(MAP, 32, 32, rng, flip).astype(int) for _ in range(100)]
    assert share[0] <= np.mean([m[0, 0, 0] > m[0, -1, 0] for m in made]) <= share[1]


def test_a_crop_may_be_written_to() -> None:
    made = random_crop(MAP, 96, 96, np.random.default_rng(0))
    made[:] = 255
    assert MAP.max() == 95


def holes(shape: np.ndarray, count: int = 600) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [random_hole(shape, rng) for _ in range(count)]


def is_box(hole: np.ndarray) -> bool:
    ys, xs = np.nonzero(hole)
    return bool(hole[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].all())


def test_holes_are_of_the_kinds_and_shares_that_are_told() -> None:
    found = holes(SHAPE)
    own, mirrored = SHAPE.tobytes(), np.ascontiguousarray(SHAPE[:, ::-1]).tobytes()
    objects = [h for h in found if h.tobytes() in (own, mirrored)]
    inverted = [h for h in found if (~h).tobytes() in (own, mirrored)]
    boxes = [h for h in found if is_box(h)]
    assert abs(len(objects) / 600 - 0.6 * 0.65) < 0.06
    assert abs(len(inverted) / 600 - 0.6 * 0.35) < 0.06
    assert abs(len(boxes) / 600 - 0.2) < 0.06
    assert abs(np.mean([h.tobytes() == own for h in objects]) - 0.5) < 0.12
    for hole in found:
        assert hole.dtype == bool
        assert hole.shape == SHAPE.shape
        assert 0.01 <= hole.mean() < 1


@pytest.mark.parametrize("fill", [False, True])
def test_a_useless_shape_gives_other_holes(fill: bool) -> None:
    found = holes(np.full((8, 8), fill), 100)
    assert all(0.01 <= h.mean() < 1 for h in found)


def test_holes_come_from_their_generator_alone() -> None:
    pairs = zip(holes(SHAPE, 50), holes(SHAPE, 50), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
