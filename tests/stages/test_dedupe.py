"""Perceptual hash against a naive DCT, its invariances, and clusters against all pairs compared."""

import functools
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from stages.dedupe import HASH_BITS, cluster, distance, mirrored, perceptual_hash

LIMIT = 6


@functools.cache
def smooth(seed, h=192, w=256):
    """A smooth colour picture with detail at every low frequency."""
    noise = np.random.default_rng(seed).normal(size=(h, w, 3))
    blurred = sum(ndimage.gaussian_filter(noise, (s, s, 0), mode="wrap") * s**1.5 for s in (5, 10, 20))
    out = np.rint(np.clip(128 + 45 * blurred / blurred.std(), 0, 255)).astype(np.uint8)
    out.setflags(write=False)
    return out


def cutout(seed):
    y, x = np.mgrid[:192, :256]
    alpha = ((x - 110 - 3 * seed) ** 2 / 9000 + (y - 90) ** 2 / (3000 + 400 * seed) < 1) & (x + y > 90)
    return np.dstack([smooth(seed), alpha.astype(np.uint8) * 255])


def resized(picture, width, height):
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=40)
    return np.array(Image.open(file))


def naive_hash(rgb, alpha=None):
    """Straight from the definition for sizes that 32 divides, in float64 with explicit cosines."""
    luma = np.rint(rgb.astype(float) @ [0.299, 0.587, 0.114])
    if alpha is not None:
        luma = 128 + (luma - 128) * (alpha / 255)
    small = luma.reshape(32, luma.shape[0] // 32, 32, luma.shape[1] // 32).mean(axis=(1, 3))
    basis = np.cos(np.pi * np.outer(np.arange(8), 2 * np.arange(32) + 1) / 64)
    coefficients = basis @ small @ basis.T
    coefficients[0] /= np.sqrt(2)
    coefficients[:, 0] /= np.sqrt(2)
    median = np.median([coefficients[v, u] for v in range(8) for u in range(0, 8, 2) if (v, u) != (0, 0)])
    value = 0
    for v in range(8):
        for u in range(8):
            above = coefficients[v, u] > (median if u % 2 == 0 else 0) and (v, u) != (0, 0)
            value = value << 1 | int(above)
    return value


@pytest.mark.parametrize("seed", range(5))
def test_hash_follows_its_definition(seed):
    rgb = smooth(seed, 128, 128)
    assert (perceptual_hash(rgb) ^ naive_hash(rgb)).bit_count() <= 1  # one coefficient may sit on its threshold
    alpha = np.zeros((128, 128), np.uint8)
    alpha[30:100, 20:90] = 230
    got = perceptual_hash(np.dstack([rgb, alpha]))
    assert (got ^ naive_hash(rgb, alpha)).bit_count() <= 1


def test_hash_is_64_unsigned_bits_without_the_mean():
    for seed in range(8):
        assert 0 <= perceptual_hash(smooth(seed)) < 2 ** (HASH_BITS - 1)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "change",
    [
        lambda p: resized(p, 128, 96),
        lambda p: resized(p, 700, 525),
        jpeg,
        lambda p: np.clip(p * 0.8 + 40, 0, 255).astype(np.uint8),
        lambda p: np.rint((p / 255.0) ** 0.8 * 255).astype(np.uint8),
    ],
    ids=["half", "enlarged", "jpeg", "brighter", "gamma"],
)
def test_copies_stay_close_also_mirrored(seed, change):
    original = smooth(seed)
    copy = change(original)
    assert (perceptual_hash(original) ^ perceptual_hash(copy)).bit_count() <= LIMIT
    turned = np.ascontiguousarray(copy[:, ::-1])
    assert distance(perceptual_hash(original), perceptual_hash(turned)) <= LIMIT


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("width", [256, 255, 97])
def test_mirroring_the_picture_mirrors_the_hash(seed, width):
    for picture in (smooth(seed)[:, :width], cutout(seed)[:, :width]):
        turned = perceptual_hash(np.ascontiguousarray(picture[:, ::-1]))
        assert (turned ^ mirrored(perceptual_hash(picture))).bit_count() <= 1
        assert distance(turned, perceptual_hash(picture)) <= 1


def test_colour_under_alpha_0_does_not_count():
    one, two = cutout(3), cutout(3)
    two[two[..., 3] == 0] = (255, 0, 255, 0)
    assert perceptual_hash(one) == perceptual_hash(two)
    opaque = np.dstack([smooth(1), np.full((192, 256), 255, np.uint8)])
    assert perceptual_hash(opaque) == perceptual_hash(smooth(1))


def test_different_pictures_are_not_merged():
    hashes = [perceptual_hash(smooth(seed)) for seed in range(40)]
    assert cluster(hashes, LIMIT) == list(range(40))


def test_copies_of_several_pictures_fall_into_their_clusters():
    pictures = [p for seed in range(4) for p in (smooth(seed), jpeg(smooth(seed)), smooth(seed)[:, ::-1])]
    hashes = [perceptual_hash(np.ascontiguousarray(p)) for p in pictures]
    assert cluster(hashes, LIMIT) == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9]


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 4), (2, 5, 4)])
def test_odd_sizes_have_a_hash(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert perceptual_hash(picture) == perceptual_hash(picture.copy())


def naive_clusters(hashes, limit):
    group = list(range(len(hashes)))
    for a in range(len(hashes)):
        for b in range(a):
            mirror = sum(1 << (63 - (8 * v + u)) for v in range(8) for u in (1, 3, 5, 7))
            near = min((hashes[a] ^ hashes[b]).bit_count(), (hashes[a] ^ hashes[b] ^ mirror).bit_count())
            if near <= limit and group[a] != group[b]:
                low, high = sorted((group[a], group[b]))
                group = [low if g == high else g for g in group]
    return group


@given(st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0, 1, 3, 6, 10, 20, 40, 63]))
@settings(max_examples=60, deadline=None)
def test_clusters_equal_all_pairs_compared(seed, count, limit):
    rng = np.random.default_rng(seed)
    hashes = []
    for _ in range(count):  # chains of near copies, some mirrored, among strangers
        value = int(rng.integers(2**64, dtype=np.uint64))
        if hashes and rng.random() < 0.7:
            value = hashes[rng.integers(len(hashes))]
            value = mirrored(value) if rng.random() < 0.3 else value
            for bit in rng.choice(64, rng.integers(0, 2 * limit + 2) % 64, replace=False):
                value ^= 1 << int(bit)
        hashes.append(value)
    assert cluster(hashes, limit) == naive_clusters(hashes, limit)


def test_a_chain_is_one_cluster_and_its_name_is_the_first_member():
    chain = [(1 << k) - 1 for k in range(0, 64, 4)]
    shuffled = [12345 << 40, *reversed(chain)]
    assert cluster(shuffled, 4) == [0] + [1] * 16
    assert len(set(cluster(shuffled, 3))) == 17


def test_a_crowd_of_equal_bands_is_compared_in_blocks(monkeypatch):
    monkeypatch.setattr("stages.dedupe._BLOCK", 64)
    hashes = [int(v) for v in np.random.default_rng(5).integers(0, 2**9, 300)]
    assert cluster(hashes, 1) == naive_clusters(hashes, 1)


@pytest.mark.parametrize("limit", [-1, 64])
def test_cluster_refuses_a_distance_out_of_bounds(limit):
    with pytest.raises(ValueError, match=re.escape(f"max_distance: must be in [0, 63], got {limit}")):
        cluster([1, 2], limit)


@pytest.mark.parametrize("value", [-1, 2**64])
def test_cluster_refuses_what_is_no_hash(value):
    with pytest.raises(ValueError, match=re.escape(f"hash 1: must be in [0, 2^64), got {value}")):
        cluster([0, value], 3)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_hash_refuses_what_is_no_picture(picture):
    text = f"picture: must be (h, w, 3 or 4) uint8 with pixels, got {picture.shape} {picture.dtype}"
    with pytest.raises(ValueError, match=re.escape(text)):
        perceptual_hash(picture)
