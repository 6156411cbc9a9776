"""Items at a protocol's size, with its mask, against a naive reference."""

from typing import Any

import cv2
import numpy as np
import pytest

from evaluation.prepare import hint_mask, prepare, shrink
from evaluation.protocol import Hint, Protocol
from evaluation.sample import Item, Missing


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def item(height: int = 24, width: int = 36, **changes: Any) -> Item:
    g = rng(0)
    mask = np.zeros((height, width), np.bool_)
    mask[6:14, 8:20] = True
    effect = mask.copy()
    effect[14:18, 8:24] = True
    foreground = g.integers(0, 256, (height, width, 4), np.uint8)
    foreground[..., 3] = mask * 255
    alpha = foreground[..., 3] / np.float32(255)
    made = Item(
        "a", g.integers(0, 256, (height, width, 3), np.uint8), mask, g.integers(0, 256, (height, width, 3), np.uint8),
        effect, alpha, foreground, alpha, np.where(mask, 255, 0).astype(np.uint8),
    )  # fmt: skip
    return made._replace(**changes)


def protocol(**changes: Any) -> Protocol:
    plain = {
        "name": "a", "revision": 1, "task": "removal", "description": "d", "metrics": ["psnr.mask"],
        "methods": ["telea"], "reference": "telea", "data": {"kind": "plain", "path": "p"}, "size": 12,
    }  # fmt: skip
    return Protocol.model_validate(plain | changes)


def blocks(values: Any, side: int) -> Any:
    h, w = values.shape[0] // side, values.shape[1] // side
    return values.reshape(h, side, w, side, *values.shape[2:]).astype(np.float64).mean((1, 3))


def test_areas_are_averaged() -> None:
    given, found = item(), shrink(item(), 12)
    assert found.clean is not None
    assert found.mask is not None
    assert given.clean is not None
    np.testing.assert_allclose(found.picture, blocks(given.picture, 3), atol=0.51)
    np.testing.assert_allclose(found.clean, blocks(given.clean, 3), atol=0.51)
    np.testing.assert_allclose(found.alpha, blocks(given.alpha, 3), atol=1e-6)
    assert (found.mask == (blocks(given.mask, 3) >= 0.5)).all()


def test_colours_of_an_object_do_not_mix_with_what_lies_under_alpha_0() -> None:
    given = item()
    assert given.foreground is not None
    dirty = given.foreground.copy()
    dirty[given.foreground[..., 3] == 0, :3] = 255
    clean = shrink(given._replace(foreground=dirty), 12).foreground
    assert clean is not None
    alpha = given.foreground[..., 3:] / 255
    mean = blocks(given.foreground[..., :3] * alpha, 3) / np.maximum(blocks(alpha, 3), 1e-9)
    shows = clean[..., 3] > 0
    np.testing.assert_allclose(clean[shows][:, :3], mean[shows], atol=0.51)


def test_a_trimap_stays_known_only_where_all_agree() -> None:
    found = shrink(item(), 12).trimap
    share = blocks(item().mask, 3)
    assert found is not None
    assert (found == np.select([share == 0, share == 1], [0, 255], 128)).all()


@pytest.mark.parametrize("longest", [0, 36, 100])
def test_what_is_small_enough_stays(longest: int) -> None:
    given = item()
    assert shrink(given, longest) is given


def test_what_a_data_set_does_not_have_stays_none() -> None:
    found = shrink(item(clean=None, effect=None, alpha=None, foreground=None, visible=None, trimap=None), 12)
    assert found[3:] == (None,) * 6


@pytest.mark.parametrize(("longest", "size"), [(10, (10, 7)), (1, (1, 1))])
def test_shapes_are_kept(longest: int, size: tuple[int, int]) -> None:
    found = shrink(item(), longest)
    assert found.picture.shape[1::-1] == size


def test_a_mask_grows_by_a_disc() -> None:
    given = item()
    found = hint_mask(given, Hint(grow=3))
    assert found is not None
    assert given.mask is not None
    ys, xs = np.nonzero(given.mask)
    for y in range(24):
        for x in range(36):
            near = float(np.hypot(ys - y, xs - x).min())
            if near <= 2.5 or near > 3.7:
                assert found[y, x] == (near <= 2.5), (y, x, near)
    assert (hint_mask(given, Hint(source="effect")) == given.effect).all()


def test_what_lacks_its_mask_is_counted() -> None:
    found = prepare(item(effect=None), protocol(hint={"source": "effect"}))
    assert found == Missing("a", "has no effect mask, which a@1 gives to methods")
    empty = prepare(item(mask=np.zeros((24, 36), np.bool_)), protocol())
    assert empty == Missing("a", "its mask is empty")
    tiny = np.zeros((24, 36), np.bool_)
    tiny[0, 0] = True
    assert prepare(item(mask=tiny), protocol()) == Missing("a", "its mask is empty")


def test_opencv_is_what_shrinks() -> None:
    given = item(25, 37)
    found = prepare(given, protocol(size=16))
    assert isinstance(found, Item)
    assert (found.picture == cv2.resize(given.picture, (16, 11), interpolation=cv2.INTER_AREA)).all()
