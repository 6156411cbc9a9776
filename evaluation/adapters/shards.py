"""Our own data sets: `data/*.tar`, `index.json` and `meta/index.parquet`, as `layerloom build` writes them."""

from pathlib import Path

import numpy as np

from evaluation.adapters.listed import Listed
from evaluation.adapters.masks import unit
from evaluation.adapters.options import adapter
from evaluation.errors import EvalError
from evaluation.sample import Dataset, Item
from model.data.download import DataError
from model.data.index import Row, open_dataset
from model.data.sample import read_members
from stages.codec import decode_png
from stages.decode import DecodeError
from stages.types import U8

_CHANNELS = {
    "composite.png": 3,
    "background.png": 3,
    "foreground.png": 4,
    "shadow.png": 1,
    "occluder.png": 4,
    "mask.png": 1,
}


@adapter
def open_shards(root: Path, *, split: str = "test") -> Dataset:
    """The samples of one split; an id is a sample's key.

    `picture` is the composite, `clean` the background, and with a = alpha / 255: visible = a_fg (1 - a_oc), which is
    `alpha` too. `effect` is where the mask, the target's shadow or its visible part is. Raises EvalError: no data set,
    another schema, no such split, or a shard that is not as long as index.json says.
    """
    try:
        rows = {row.key: row for row in open_dataset(str(root), split).rows}
    except DataError as error:
        raise EvalError(str(error)) from None

    def item(id: str) -> Item:
        try:
            return _item(rows[id])
        except DataError as error:
            raise DecodeError("unreadable", str(error).removeprefix(f"{rows[id].shard.store}/")) from None

    return Listed(rows, item)


def _item(row: Row) -> Item:
    """Raises DataError."""
    members = read_members(row, tuple(_CHANNELS))
    composite, background, foreground, shadow, occluder, mask = (_decode(row, n, members[n]) for n in _CHANNELS)
    visible = unit(foreground[..., 3]) * (1 - unit(occluder[..., 3]))
    return Item(
        row.key,
        composite,
        mask >= 128,
        clean=background,
        effect=np.asarray((mask >= 128) | (shadow > 0) | (visible > 0)),
        alpha=visible,
        foreground=foreground,
        visible=visible,
    )


def _decode(row: Row, member: str, data: bytes) -> U8:
    where = f"{row.shard}: {row.key}.{member}"
    try:
        pixels = decode_png(data)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    shape = (*pixels.shape, 1)[:3]
    if shape != (row.size, row.size, _CHANNELS[member]):
        sizes = f"{shape[1]} x {shape[0]} pixels of {shape[2]} channels, must be {row.size} x {row.size} of"
        raise DataError(f"{where}: {sizes} {_CHANNELS[member]}")
    return pixels
