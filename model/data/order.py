"""The order of samples: a pure function of seed and epoch, so that any place in it can be found again.

Shards are permuted, and the samples of each run of `window` shards are permuted together: far samples mix over the
epochs, near ones within one, and only `window` shards need to be at hand.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.batch import Cursor
from stages.rng import generator


class Draw(NamedTuple):
    """One use of a sample: its `number`, and a `serial` that no other use has (the counter of its augmentation)."""

    number: int
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

    In each bucket, the epochs' samples form one endless row, and every `world * batch_size` of them a global batch,
    which comes when its last sample does; rank r takes its r-th part. So each sample is drawn once an epoch, none is
    lost or padded, and what is left in a bucket at the end of an epoch opens its next batch. All ranks compute the
    same batches. Any cursor is found without going through what comes before: the number of samples that wait
    when an epoch begins is known, and they are the last of the epochs before.
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
        assert len(buckets) == sum(shard_sizes) > 0, "one bucket a sample, and at least one sample"
        assert 0 <= rank < world, f"rank {rank} of {world}"
        self._sizes, self._buckets, self._seed, self._window = shard_sizes, buckets, seed, window
        self._full, self._cursor = batch_size * world, cursor
        self._mine = slice(rank * batch_size, (rank + 1) * batch_size)

    def __iter__(self) -> Iterator[tuple[list[Draw], Cursor]]:
        epoch, used = self._cursor
        waiting = self._left_before(epoch)
        while True:
            for number, draws in enumerate(self._fill(epoch, waiting)):
                if number >= used:
                    yield draws[self._mine], Cursor(epoch, number + 1)
            epoch, used = epoch + 1, 0

    def _draws(self, epoch: int) -> Iterator[Draw]:
        order = epoch_order(self._sizes, self._seed, epoch, self._window).tolist()
        return (Draw(index, epoch * len(order) + place) for place, index in enumerate(order))

    def _fill(self, epoch: int, waiting: dict[int, list[Draw]]) -> Iterator[list[Draw]]:
        for draw in self._draws(epoch):
            bucket = waiting[self._buckets[draw.number]]
            bucket.append(draw)
            if len(bucket) == self._full:
                yield bucket.copy()
                bucket.clear()

    def _left_before(self, epoch: int) -> dict[int, list[Draw]]:
        """What waits in each bucket when an epoch begins."""
        due = {bucket: epoch * count % self._full for bucket, count in Counter(self._buckets).items()}
        left: dict[int, list[Draw]] = {bucket: [] for bucket in due}
        while any(len(left[bucket]) < due[bucket] for bucket in due):
            epoch -= 1
            drawn: dict[int, list[Draw]] = {bucket: [] for bucket in due}
            for draw in self._draws(epoch):
                drawn[self._buckets[draw.number]].append(draw)
            left = {bucket: drawn[bucket] + left[bucket] for bucket in due}
        return {bucket: draws[len(draws) - due[bucket] :] for bucket, draws in left.items()}
