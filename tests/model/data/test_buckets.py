"""Which size a sample gets."""

from pathlib import Path

import pytest

from model.data.buckets import choose_buckets, nearest_bucket
from model.data.download import DataError
from model.data.index import Row
from model.data.source import Folder, Shard

SHARD = Shard(Folder("here"), "data/train-00000-of-00001.tar", 0, None)


@pytest.mark.parametrize(
    ("size", "buckets", "chosen"),
    [
        ((100, 100), [(64, 64)], 0),
        ((100, 100), [(96, 64), (64, 64), (64, 96)], 1),  # the nearest ratio
        ((200, 100), [(64, 64), (96, 64), (64, 96)], 1),
        ((100, 200), [(64, 64), (96, 64), (64, 96)], 2),
        ((200, 100), [(64, 48), (96, 48)], 1),
        ((100, 100), [(64, 64), (96, 96), (128, 128)], 1),  # the largest that need not be enlarged
        ((300, 300), [(64, 64), (96, 96), (128, 128)], 2),
        ((100, 100), [(128, 128), (64, 32)], 1),  # a worse ratio rather than enlarging
        ((100, 100), [(64, 64), (64, 64)], 0),
        ((100, 100), [(100, 100)], 0),
        ((100, 99), [(100, 100)], None),
        ((100, 100), [(50, 60), (60, 50)], 0),  # equally far and large
    ],
)
def test_the_nearest_ratio_then_the_largest(size, buckets, chosen) -> None:
    assert nearest_bucket(*size, buckets) == chosen


def test_each_sample_gets_one() -> None:
    rows = [Row(f"k{side}", SHARD, 0, side) for side in (64, 512, 100, 64)]
    assert choose_buckets(rows, [(64, 64), (96, 96), (256, 256)]) == [0, 2, 1, 0]


def test_a_small_sample_is_named() -> None:
    rows = [Row("big", SHARD, 0, 64), Row("train_000000007", SHARD, 0, 63)]
    where = f"{Path('here/data/train-00000-of-00001.tar')}: train_000000007"
    with pytest.raises(DataError) as caught:
        choose_buckets(rows, [(64, 64), (96, 64)])
    assert str(caught.value) == f"{where}: 63 x 63 pixels, too small for buckets of 64 x 64, 96 x 64"
