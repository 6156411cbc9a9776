"""From data sets to batches. Legend: B batch, C channels, H W sides."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model.batch import Batch, Cursor
from model.data.augment import augment, visible_alpha
from model.data.index import DataSet, Row, open_all
from model.data.inpaint import random_crop, random_hole
from model.data.options import DataOptions
from model.data.order import Batches, Draw
from model.data.sample import Pixels, decode, read_members, read_pixels, shrink
from stages.rng import generator
from stages.types import U8, Mask

_Work = tuple[list[Draw], Cursor]


def make_loader(
    options: DataOptions,
    *,
    seed: int,
    batch_size: int,
    rank: int = 0,
    world: int = 1,
    cursor: Cursor = Cursor(),
) -> Iterator[Batch]:
    """Batches of one rank, for ever, from `cursor` on; the same for any number of loader processes.

    Raises DataError for data sets, shards and samples that cannot be read.
    """
    data = open_all(options.location, options.split)
    buckets = [nearest_bucket(row, options.buckets) for row in data.rows]
    batches = Batches(
        data.shard_sizes,
        buckets,
        seed=seed,
        window=options.window,
        batch_size=batch_size,
        rank=rank,
        world=world,
        cursor=cursor,
    )
    loader: DataLoader[Batch] = DataLoader(
        _Samples(options, data, buckets, seed),
        batch_size=None,
        sampler=batches,  # type: ignore[arg-type]
        num_workers=options.workers,
        worker_init_fn=_one_thread,
        persistent_workers=options.workers > 0,
        prefetch_factor=4 if options.workers else None,
    )
    return iter(loader)


def nearest_bucket(row: Row, buckets: tuple[tuple[int, int], ...]) -> int:
    """Number of the bucket whose aspect ratio is nearest to a sample's; samples are square."""
    return int(np.argmin([abs(np.log(w / h)) for w, h in buckets]))


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


class _Samples(Dataset[Batch]):
    """Whole batches by their draws; decoded samples stay in memory while there is room."""

    def __init__(self, options: DataOptions, data: DataSet, buckets: list[int], seed: int) -> None:
        self._options, self._data, self._buckets, self._seed = options, data, buckets, seed
        self._cache: dict[int, Any] = {}
        self._room = options.memory_mib * 2**20 // max(options.workers, 1)

    def __getitem__(self, work: _Work) -> Batch:
        draws, cursor = work
        make = self._inpaint if self._options.task == "inpaint" else self._decompose
        keys = tuple(self._data.rows[draw.index].key for draw in draws)
        return collate([make(draw) for draw in draws], keys, cursor)

    def _size(self, draw: Draw) -> tuple[int, int]:
        return self._options.buckets[self._buckets[draw.index]]

    def _decompose(self, draw: Draw) -> Pixels:
        pixels = self._kept(draw.index, lambda row: read_pixels(row, *self._size(draw)))
        return augment(pixels, self._options, generator(self._seed, "augment", draw.serial))

    def _inpaint(self, draw: Draw) -> Pixels:
        rng = generator(self._seed, "inpaint", draw.serial)
        width, height = self._size(draw)
        crop = random_crop(self._kept(draw.index, self._photograph)[0], width, height, rng)
        other = int(rng.integers(len(self._data.rows)))
        shape = self._kept(other, self._photograph)[1]
        hole = random_hole(cv2.resize(shape, (width, height), interpolation=cv2.INTER_AREA) >= 128, rng)
        opaque = np.full((height, width, 1), 255, np.uint8)
        clear = np.zeros((height, width, 4), np.uint8)
        return Pixels(crop, crop, np.concatenate([crop, opaque], axis=2), clear, hole)

    def _photograph(self, row: Row) -> tuple[U8, U8]:
        names, side = ("background.png", "mask.png"), self._options.source_size
        data = read_members(row, names)
        background, mask = (shrink(decode(row, name, data[name]), side, side) for name in names)
        return background, mask

    def _kept(self, index: int, read: Any) -> Any:
        if index in self._cache:
            return self._cache[index]
        value = read(self._data.rows[index])
        size = sum(array.nbytes for array in value)
        if size <= self._room:
            self._room -= size
            self._cache[index] = value
        return value


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
