"""Small folders in the layouts of test sets."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.sample import Dataset, Item, Missing

H, W = 24, 32


def noise(seed, *shape):
    """uint8 in 0..255; without a shape, a picture (H, W, 3)."""
    return np.random.default_rng([17, seed]).integers(0, 256, shape or (H, W, 3), dtype=np.uint8)


def matte(seed=0):
    """uint8 (H, W): a disc with soft edges and an alpha in between, 0 at the border."""
    ys, xs = np.mgrid[:H, :W]
    distance = np.hypot(ys - 11 - seed % 3, xs - 15)
    return np.rint(np.clip(8 - distance, 0, 3) / 3 * 255).astype(np.uint8)


def blob(seed=0):
    """bool (H, W): a rectangle."""
    out = np.zeros((H, W), bool)
    out[6 + seed % 4 : 15, 9 : 20 + seed % 5] = True
    return out


def white(mask):
    """bool to 0 and 255."""
    return np.where(mask, np.uint8(255), np.uint8(0))


def cutout(seed=0):
    """uint8 (H, W, 4): noise with a matte, 0 where it is 0."""
    rgba = np.dstack([noise(100 + seed), matte(seed)])
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def encoded(pixels, file_format="PNG", **options):
    """The bytes of an image file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=file_format, **options)
    return out.getvalue()


def put(path: Path, pixels, **options):
    """Write a picture without loss under any name; returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(pixels, **options))
    return pixels


def cut_off(path: Path):
    """Truncate a file in the middle."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def item(dataset: Dataset, id: str) -> Item:
    """An item that can be read."""
    found = dataset.read(id)
    assert isinstance(found, Item), found
    assert found.id == id
    return found


def reason(dataset: Dataset, id: str) -> str:
    """Why an item cannot be read."""
    found = dataset.read(id)
    assert isinstance(found, Missing), found
    assert found.id == id
    assert "\n" not in found.reason
    return found.reason


def same(found: Item, **expected):
    """All fields of an item but its id: as expected, None where nothing is."""
    for name in Item._fields[1:]:
        value, wanted = getattr(found, name), expected.get(name)
        if wanted is None:
            assert value is None, name
        else:
            assert value.dtype == wanted.dtype, name
            np.testing.assert_array_equal(value, wanted, err_msg=name)


def unit(values):
    """0..255 to float32 0..1."""
    return (values / np.float32(255)).astype(np.float32)


def grown(mask, pixels):
    """All pixels within a distance of the mask, by looking at every pair."""
    ys, xs = np.nonzero(mask)
    out = np.zeros_like(mask)
    for y, x in np.ndindex(mask.shape):
        out[y, x] = ((ys - y) ** 2 + (xs - x) ** 2).min() <= pixels**2
    return out
