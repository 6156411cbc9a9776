"""Batches from draws. Legend: B batch, C channels, H W sides."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from model.batch import Batch, Cursor
from model.data.augment import augment, visible_alpha
from model.data.download import DataError
from model.data.index import DataSet
from model.data.inpaint import random_crop, random_hole
from model.data.keep import Keep
from model.data.options import DataOptions
from model.data.order import Draw
from model.data.sample import Pixels, read_pictures, read_pixels, shrink
from stages.rng import generator
from stages.types import U8, Mask


class BatchMaker(Dataset[Batch | DataError]):
    """A batch for each list of draws; decoded samples stay in memory while there is room.

    A DataError is returned, not raised: a loader's process would hide it in a report of many lines.
    """

    def __init__(self, options: DataOptions, data: DataSet, buckets: list[int], seed: int) -> None:
        self._options, self._data, self._buckets, self._seed = options, data, buckets, seed
        self._keep: Keep[tuple[NDArray[np.uint8] | Mask, ...]] = Keep(
            options.memory_mib * 2**20 // max(options.workers, 1)
        )

    def __getitem__(self, work: tuple[list[Draw], Cursor]) -> Batch | DataError:
        draws, cursor = work
        make = self._inpaint if self._options.task == "inpaint" else self._decompose
        try:
            samples = [make(draw) for draw in draws]
        except DataError as error:
            return error
        return collate(samples, tuple(self._data.rows[draw.number].key for draw in draws), cursor)

    def _size(self, draw: Draw) -> tuple[int, int]:
        return self._options.buckets[self._buckets[draw.number]]

    def _decompose(self, draw: Draw) -> Pixels:
        row = self._data.rows[draw.number]
        pixels = Pixels._make(self._keep.get(draw.number, lambda: read_pixels(row, *self._size(draw))))
        return augment(pixels, self._options, generator(self._seed, "augment", draw.serial))

    def _inpaint(self, draw: Draw) -> Pixels:
        rng = generator(self._seed, "inpaint", draw.serial)
        width, height = self._size(draw)
        picture = self._source(draw.number, "background.png")
        crop = random_crop(picture, width, height, rng, self._options.flip)
        other = int(rng.integers(len(self._data.rows)))
        shape = cv2.resize(self._source(other, "mask.png"), (width, height), interpolation=cv2.INTER_AREA)
        hole = random_hole(shape >= 128, rng)
        opaque = np.full((height, width, 1), 255, np.uint8)
        cover = np.full((height, width, 4), 255, np.uint8)  # no object shows
        return Pixels(crop, crop, np.concatenate([crop, opaque], axis=2), cover, hole)

    def _source(self, index: int, name: str) -> U8:
        """One picture of a sample, square, of `source_size` if it has as many pixels."""
        row = self._data.rows[index]
        side = min(self._options.source_size, row.size)
        (kept,) = self._keep.get((index, name), lambda: (shrink(read_pictures(row, (name,))[0], side, side),))
        return np.asarray(kept, np.uint8)


def collate(samples: list[Pixels], keys: tuple[str, ...], cursor: Cursor) -> Batch:
    """Samples of one size as tensors."""

    def pictures(name: str) -> Tensor:
        return _channels_first(np.stack([getattr(s, name) for s in samples])).float() / 127.5 - 1

    visible = np.stack([visible_alpha(s) for s in samples])[..., None]
    mask = np.stack([s.mask for s in samples])[..., None]
    return Batch(
        pictures("composite"),
        pictures("background"),
        pictures("foreground"),
        _channels_first(visible).float() / 255,
        _channels_first(mask).float(),
        keys,
        cursor,
    )


def _channels_first(arrays: NDArray[np.uint8] | Mask) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(arrays)).permute(0, 3, 1, 2).contiguous()
