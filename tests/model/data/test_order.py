"""The order of samples and batches, against a plain simulation from the first epoch on."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batch import Cursor
from model.data.order import Batches, Draw, epoch_order

SIZES = (5, 1, 4, 7, 3)  # 20 samples
BUCKETS = [0, 1, 0, 0, 2, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]  # 14, 5 and 1 of them
Work = tuple[list[Draw], Cursor]


def stream(count: int, **changes) -> list[Work]:
    plain = {"seed": 3, "window": 2, "batch_size": 2, "rank": 0, "world": 1, "cursor": Cursor()}
    return list(islice(iter(Batches(SIZES, BUCKETS, **(plain | changes))), count))


def simulated(count: int, full: int, buckets: list[int] = BUCKETS) -> list[tuple[list[Draw], Cursor]]:
    """Global batches as the text defines them, from the beginning, without anything clever."""
    waiting: dict[int, list[Draw]] = {}
    made, epoch = [], 0
    while len(made) < count:
        number = 0
        for place, index in enumerate(epoch_order(SIZES, 3, epoch, 2)):
            bucket = waiting.setdefault(buckets[index], [])
            bucket.append(Draw(int(index), 20 * epoch + place))
            if len(bucket) == full:
                number += 1
                made.append((list(bucket), Cursor(epoch, number)))
                bucket.clear()
        epoch += 1
    return made[:count]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 99), st.integers(0, 9), st.integers(1, 5))
def test_an_epoch_is_every_sample_once(sizes: list[int], seed: int, epoch: int, window: int) -> None:
    order = epoch_order(sizes, seed, epoch, window)
    assert sorted(order.tolist()) == list(range(sum(sizes)))
    np.testing.assert_array_equal(order, epoch_order(sizes, seed, epoch, window))


def test_epochs_and_seeds_differ() -> None:
    orders = [tuple(epoch_order((50, 50), seed, epoch, 2)) for seed in range(3) for epoch in range(3)]
    assert len(set(orders)) == 9


def test_a_window_holds_its_shards_alone() -> None:
    shard_of = np.repeat(np.arange(6), 10)
    for epoch in range(5):
        shards = shard_of[epoch_order([10] * 6, 0, epoch, 2)].reshape(3, 20)
        assert [len(set(part)) for part in shards.tolist()] == [2, 2, 2]
        assert sorted(s for part in shards for s in set(part.tolist())) == list(range(6))
        assert any(list(part) != sorted(part) for part in shards.tolist()), "shards of a window are not mixed"


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_ranks_share_what_the_simulation_gives(world: int, batch_size: int) -> None:
    expected = simulated(60, world * batch_size)
    ranks = [stream(60, world=world, rank=r, batch_size=batch_size) for r in range(world)]
    for k, (draws, cursor) in enumerate(expected):
        assert [d for rank in ranks for d in rank[k][0]] == draws
        assert {rank[k][1] for rank in ranks} == {cursor}
        assert all(len(rank[k][0]) == batch_size for rank in ranks)


def test_no_draw_is_lost_or_given_twice() -> None:
    drawn = [d for draws, _ in stream(400) for d in draws]  # 40 epochs
    assert len({d.serial for d in drawn}) == 800
    of_epoch = [sorted(d.number for d in drawn if d.serial // 20 == epoch) for epoch in range(37)]
    assert of_epoch == [list(range(20))] * 37


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("batch_size", [2, 7])
def test_a_stream_goes_on_from_any_cursor(world: int, batch_size: int) -> None:
    """A bucket of one sample fills in 14 epochs at most."""
    place = {"world": world, "rank": world - 1, "batch_size": batch_size}
    whole = stream(90, **place)
    for k in range(60):
        assert stream(30, cursor=whole[k][1], **place) == whole[k + 1 : k + 31], f"after batch {k}"


def test_an_epoch_that_fills_no_batch_is_passed() -> None:
    found = stream(4, batch_size=45)
    assert [cursor.epoch for _, cursor in found] == [c.epoch for _, c in simulated(4, 45)]
    assert stream(2, batch_size=45, cursor=found[1][1]) == found[2:]


def test_batches_hold_one_bucket() -> None:
    assert {len({BUCKETS[d.number] for d in draws}) for draws, _ in stream(100)} == {1}
    assert {BUCKETS[draws[0].number] for draws, _ in stream(100)} == {0, 1, 2}


def test_our_own_mistakes_are_caught() -> None:
    for changes, text in (({"rank": 2, "world": 2}, "rank 2 of 2"), ({"rank": -1}, "rank -1 of 1")):
        with pytest.raises(AssertionError, match=text):
            stream(1, **changes)
    with pytest.raises(AssertionError, match="one bucket a sample"):
        Batches([3], [0], seed=0, window=1, batch_size=1, rank=0, world=1, cursor=Cursor())
