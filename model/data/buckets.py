"""Buckets: the sizes that batches may have, so that all pictures of a batch have one."""

import math
from collections.abc import Sequence

from model.data.download import DataError
from model.data.index import Row


def choose_buckets(rows: Sequence[Row], buckets: Sequence[tuple[int, int]]) -> list[int]:
    """The number of each sample's bucket (width, height).

    Of the buckets that a sample need not be enlarged for: the nearest aspect ratio, then the largest area, then the
    first. Raises DataError, which names the sample, where there is none.
    """
    by_side: dict[int, int | None] = {}
    chosen = []
    for row in rows:
        if row.size not in by_side:
            by_side[row.size] = nearest_bucket(row.size, row.size, buckets)
        bucket = by_side[row.size]
        if bucket is None:
            sizes = ", ".join(f"{w} x {h}" for w, h in buckets)
            raise DataError(f"{row.shard}: {row.key}: {row.size} x {row.size} pixels, too small for buckets of {sizes}")
        chosen.append(bucket)
    return chosen


def nearest_bucket(width: int, height: int, buckets: Sequence[tuple[int, int]]) -> int | None:
    """See `choose_buckets`; None where every bucket would enlarge the picture."""
    fitting = [k for k, (w, h) in enumerate(buckets) if w <= width and h <= height]

    def rank(number: int) -> tuple[float, int]:
        w, h = buckets[number]
        return abs(math.log(w * height / (h * width))), -w * h

    return min(fitting, key=rank, default=None)
