"""Features of sets of pictures, for the distances between two sets: FID, KID and CMMD.

Such a distance means nothing without its extractor, so every score carries the extractor's name.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvalError
from stages.types import U8

F64 = NDArray[np.float64]


class Extractor(NamedTuple):
    """A named network: `run` takes (N, 3, H, W) uint8 sRGB pictures and returns (N, D) features."""

    name: str
    run: Callable[[U8], NDArray[np.floating]]


class SetScore(NamedTuple):
    """A distance of two sets of pictures: `name` says metric and extractor, `made` and `truth` are their sizes."""

    name: str
    value: float
    made: int
    truth: int


def features(pictures: Iterable[U8], extractor: Extractor, batch: int = 16) -> F64:
    """Features (N, D) float64 of (h, w, 3) uint8 pictures of any sizes, in order; (0, 0) for none.

    Up to `batch` neighbours of one size go through the network together.

    Raises:
        EvalError: the extractor returns another shape, or numbers that are not finite.
    """
    found = [_checked(extractor, stack) for stack in _stacks(pictures, batch)]
    return np.concatenate(found) if found else np.empty((0, 0))


def compare(
    metric: str, distance: Callable[[F64, F64], float], made: Iterable[U8], truth: Iterable[U8], extractor: Extractor
) -> SetScore:
    """The named distance of the features of two sets of pictures. Raises EvalError as `features`."""
    ours, theirs = features(made, extractor), features(truth, extractor)
    return SetScore(f"{metric} ({extractor.name})", distance(ours, theirs), len(ours), len(theirs))


def _stacks(pictures: Iterable[U8], batch: int) -> Iterator[U8]:
    """(n, 3, h, w) uint8, n <= batch."""
    for _, run in groupby(pictures, key=np.shape):
        while some := list(islice(run, batch)):
            yield np.ascontiguousarray(np.stack(some).transpose(0, 3, 1, 2))


def _checked(extractor: Extractor, stack: U8) -> F64:
    found = np.asarray(extractor.run(stack), np.float64)
    if found.ndim != 2 or len(found) != len(stack):
        raise EvalError(f"extractor {extractor.name}: must return ({len(stack)}, D) features, returned {found.shape}")
    if not np.isfinite(found).all():
        raise EvalError(f"extractor {extractor.name}: returned features that are not finite")
    return found
