"""Near duplicates by perceptual hash: the same picture at another size, quality, brightness, or mirrored."""

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64
# Mirroring a picture negates its DCT coefficients of odd horizontal frequency and leaves the others alone.
MIRROR_MASK = 0x5555555555555555  # the bits of odd u

_MID_GREY = 128
_BLOCK = 1 << 22  # pairs compared at once
Hashes = NDArray[np.uint64]


def perceptual_hash(picture: NDArray[np.uint8]) -> int:
    """64-bit DCT hash of a (h, w, 3) RGB or (h, w, 4) straight RGBA sRGB picture, uint8.

    The luma (BT.601) over mid-grey, padded with mid-grey to a square, area-averaged to 32 x 32; bit 63 - (8 v + u)
    is set where the DCT coefficient of vertical frequency v and horizontal frequency u, both below 8, exceeds
    its threshold. After "pHash" (Zauner, "Implementation and benchmarking of perceptual image hash functions",
    2010), with two differences that make `mirrored(hash)` the hash of the mirrored picture: the threshold is
    the median only for even u, and 0 for odd u, whose sign a mirror flips. The bit of (0, 0), the mean
    brightness, is always 0. Raises ValueError for any other shape or type and for a picture without pixels.
    """
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"picture: must be (h, w, 3 or 4) uint8 with pixels, got {picture.shape} {picture.dtype}")
    coefficients = np.asarray(cv2.dct(_thumbnail(picture)))[:8, :8]
    even = coefficients[:, ::2]
    threshold = np.zeros((8, 8), dtype=np.float32)
    threshold[:, ::2] = np.median(even.ravel()[1:])
    bits = coefficients > threshold
    bits[0, 0] = False
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def mirrored(value: int) -> int:
    """The perceptual hash of the left-right mirrored picture."""
    return value ^ MIRROR_MASK


def distance(a: int, b: int) -> int:
    """Bits in which two perceptual hashes differ, of the picture or its mirror image, whichever is nearer."""
    return min((a ^ b).bit_count(), (a ^ mirrored(b)).bit_count())


def cluster(hashes: Sequence[int], max_distance: int) -> list[int]:
    """Group pictures linked by steps of `distance` <= max_distance (single linkage).

    Returns for every hash the smallest index in its group. Exact for any input: hashes within d bits agree
    completely on at least one of d + 1 bands (multi-index hashing: Norouzi et al., "Fast search in Hamming
    space with multi-index hashing", CVPR 2012), so only pairs that share a band are compared.
    Raises ValueError if max_distance is outside [0, 63] or a hash is no unsigned 64-bit integer.
    """
    if not 0 <= max_distance < HASH_BITS:
        raise ValueError(f"max_distance: must be in [0, {HASH_BITS - 1}], got {max_distance}")
    for place, value in enumerate(hashes):
        if not 0 <= value < 1 << HASH_BITS:
            raise ValueError(f"hash {place}: must be in [0, 2^{HASH_BITS}), got {value}")
    unique, first, inverse = np.unique(np.array(hashes, dtype=np.uint64), return_index=True, return_inverse=True)
    # Ordered by first appearance, so that the smallest label of a group is its earliest member.
    order = np.argsort(first)
    labels = np.arange(unique.size)
    for pairs in _near_pairs(unique[order], max_distance):
        labels = _link(labels, pairs)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    groups: list[int] = first[order][labels[rank[inverse]]].tolist()
    return groups


def _thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.float32) - _MID_GREY
    if picture.shape[2] == 4:
        luma *= picture[..., 3] / np.float32(255)
    h, w = luma.shape
    side = max(h, w)
    # Padding after shrinking is cheap; mid-grey is 0 here. Even sizes centre exactly, mirrored or not.
    height, width = 2 * max(round(16 * h / side), 1), 2 * max(round(16 * w / side), 1)
    out = np.zeros((32, 32), dtype=np.float32)
    top, left = (32 - height) // 2, (32 - width) // 2
    small = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    out[top : top + height, left : left + width] = small
    return out


def _near_pairs(hashes: Hashes, max_distance: int) -> Iterator[NDArray[np.intp]]:
    """Batches of (n, 2) index pairs that hold every pair within max_distance, and only such."""
    codes = np.concatenate([hashes, hashes ^ np.uint64(MIRROR_MASK)])
    for shift, width in _bands(max_distance + 1):
        keys = (codes >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.append(True, np.diff(keys[order]) != 0))
        for start, stop in zip(starts, [*starts[1:], order.size], strict=True):
            yield from _bucket_pairs(codes, order[start:stop], hashes.size, max_distance)


def _bands(count: int) -> list[tuple[int, int]]:
    """The (shift, width) of `count` bands of nearly equal width that partition the hash."""
    edges = [HASH_BITS * i // count for i in range(count + 1)]
    return [(low, high - low) for low, high in itertools.pairwise(edges)]


def _bucket_pairs(codes: Hashes, bucket: NDArray[np.intp], size: int, max_distance: int) -> Iterator[NDArray[np.intp]]:
    rows = bucket[bucket < size]  # a mirrored code needs comparing with plain ones only: distance is symmetric
    if bucket.size < 2 or rows.size == 0:
        return
    step = max(_BLOCK // bucket.size, 1)
    for start in range(0, rows.size, step):
        part = rows[start : start + step]
        near = np.bitwise_count(codes[part][:, None] ^ codes[bucket][None]) <= max_distance
        a, b = np.nonzero(near)
        pairs = np.stack([part[a], bucket[b] % size], axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        if pairs.size:
            yield pairs


def _link(labels: NDArray[np.intp], pairs: NDArray[np.intp]) -> NDArray[np.intp]:
    """Merge the groups that `pairs` join: hook the larger root on the smaller, halve paths, until stable."""
    while True:
        ends = labels[pairs]
        apart = ends[:, 0] != ends[:, 1]
        if not apart.any():
            return labels
        pairs, ends = pairs[apart], ends[apart]
        np.minimum.at(labels, ends.max(axis=1), ends.min(axis=1))
        while ((roots := labels[labels]) != labels).any():
            labels = roots
