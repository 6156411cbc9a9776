"""The order of samples: a pure function of seed and epoch, so that any place in it can be found again.

Shards are permuted, and the samples of each run of `window` shards are permuted together: far samples mix over the
epochs, near ones within one, and only `window` shards need to be at hand.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.batch import Cursor
from stages.rng import generator


class Draw(NamedTuple):
    """One use of a sample: its number, and a serial that no other use has (the counter of its augmentation)."""

    index: int
    serial: int


def epoch_order(shard_sizes: Sequence[int], seed: int, epoch: int, window: int) -> NDArray[np.int64]:
    """Sample numbers (counted through the shards in order) in the order of one epoch, each once."""
    rng = generator(seed, "epoch", epoch)
    starts = np.concatenate([[0], np.cumsum(shard_sizes)])
    shards = rng.permutation(len(shard_sizes))
    parts = []
    for first in range(0, len(shards), window):
        group = [np.arange(starts[s], starts[s + 1]) for s in shards[first : first + window]]
        parts.append(rng.permutation(np.concatenate(group)))
    return np.concatenate(parts).astype(np.int64)


class Batches:
    """The batches of one rank, for ever, each with the cursor that stands after it.

    A global batch is `world * batch_size` samples of one bucket; rank r takes its r-th part. Samples wait in their
    bucket until it is full; at the end of an epoch what still waits comes first in the next, so that every sample is
    used once an epoch or early in the next one. All ranks compute the same batches.
    """

    def __init__(
        self,
        shard_sizes: Sequence[int],
        buckets: Sequence[int],
        *,
        seed: int,
        window: int,
        batch_size: int,
        rank: int,
        world: int,
        cursor: Cursor,
    ) -> None:
        self._sizes, self._buckets, self._seed, self._window = shard_sizes, buckets, seed, window
        self._batch, self._rank, self._world, self._cursor = batch_size, rank, world, cursor

    def __iter__(self) -> Iterator[tuple[list[Draw], Cursor]]:
        waiting: dict[int, list[Draw]] = {}
        for epoch in range(self._first_epoch(), 1 << 62):
            for number, draws in enumerate(self._epoch(epoch, waiting)):
                if (epoch, number) >= self._cursor:
                    mine = draws[self._rank * self._batch : (self._rank + 1) * self._batch]
                    yield mine, Cursor(epoch, number + 1)

    def _first_epoch(self) -> int:
        return 0  # leftovers depend on all epochs before; without decoding they cost next to nothing

    def _epoch(self, epoch: int, waiting: dict[int, list[Draw]]) -> Iterator[list[Draw]]:
        order = epoch_order(self._sizes, self._seed, epoch, self._window)
        full = self._batch * self._world
        for place, index in enumerate(order.tolist()):
            bucket = waiting.setdefault(self._buckets[index], [])
            bucket.append(Draw(index, epoch * len(order) + place))
            if len(bucket) == full:
                yield bucket.copy()
                bucket.clear()
