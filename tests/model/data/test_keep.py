"""Memory of what was decoded: no more than it may hold, and what it holds is not made again."""

import numpy as np

from model.data.keep import Keep


def test_what_fits_is_made_once_and_the_rest_each_time() -> None:
    made: list[int] = []

    def make(key: int, size: int) -> tuple[np.ndarray]:
        made.append(key)
        return (np.full(size, key, np.uint8),)

    keep: Keep[tuple[np.ndarray, ...]] = Keep(100)
    for _ in range(3):
        for key, size in ((0, 40), (1, 40), (2, 40), (3, 20), (4, 1)):
            assert [v.tolist() for v in keep.get(key, lambda k=key, s=size: make(k, s))] == [[key] * size]
    assert made == [0, 1, 2, 3, 4, 2, 4, 2, 4]


def test_no_memory_keeps_nothing() -> None:
    made: list[int] = []
    keep: Keep[tuple[np.ndarray, ...]] = Keep(0)
    for _ in range(2):
        keep.get("a", lambda: made.append(1) or (np.zeros(1),))
    assert made == [1, 1]
