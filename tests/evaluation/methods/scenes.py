"""Items that the tests of methods share."""

import numpy as np

from evaluation.layers import Answer
from evaluation.sample import Item
from tests.assets import photo


def scene(height: int = 48, width: int = 64, seed: int = 0) -> Item:
    """A piece of a photograph with a bright ellipse, and the ellipse as its mask, which touches the right border."""
    picture = np.ascontiguousarray(photo(seed)[60 : 60 + height, 40 : 40 + width])
    y, x = np.mgrid[:height, :width]
    mask = ((y - 0.45 * height) / (0.3 * height)) ** 2 + ((x - 0.75 * width) / (0.3 * width)) ** 2 <= 1
    assert mask[:, -1].any()
    picture[mask] = np.stack([250 - y[mask] % 40, 20 + x[mask] % 50, 200 + 0 * x[mask]], axis=1)
    return Item("a-1", picture, mask)


def check_filled(item: Item, answer: Answer) -> None:
    """The background is the picture outside the mask; the foreground the picture, the mask its alpha."""
    mask, picture = item.mask, item.picture
    assert answer.background.dtype == answer.foreground.dtype == np.uint8
    assert answer.background.shape == picture.shape
    assert (answer.background[~mask] == picture[~mask]).all()
    assert (answer.foreground == np.dstack([picture * mask[..., None], mask * np.uint8(255)])).all()
