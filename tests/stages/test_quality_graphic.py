"""Photograph, drawing or lettering, and exposure: against naive loops, scipy, and pictures with known answers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from stages.quality import clipped, flatness, measure, palette, text_like
from tests.assets import NUM_CUTOUTS, cutout

alphas = st.sampled_from([0, 127, 128, 249, 250, 255])
colours = st.sampled_from([0, 1, 2, 40, 55, 253, 254, 255])
cutouts = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.builds(
        lambda rgb, alpha: np.dstack([rgb, alpha]),
        hnp.arrays(np.uint8, (*size, 3), elements=colours),
        hnp.arrays(np.uint8, size, elements=alphas, fill=st.just(255)),
    )
)


def pixels(rgba, least):
    return [tuple(p[:3]) for row in rgba.tolist() for p in row if p[3] >= least]


@given(cutouts)
@settings(max_examples=150, deadline=None)
def test_palette_and_clipped_against_counting(rgba):
    opaque = pixels(rgba, 250)
    common = Counter(opaque).most_common(8)
    assert palette(rgba) == pytest.approx(sum(n for _, n in common) / len(opaque) if opaque else 0.0)
    lost = [p for p in opaque if set(p) <= {0, 1} or set(p) <= {254, 255}]
    assert clipped(rgba) == pytest.approx(len(lost) / len(opaque) if opaque else 0.0)


def naive_text_like(rgba):
    solid = np.pad(rgba[..., 3] > 127, 1)
    if not solid.any():
        return 0.0
    squares = np.rint(ndimage.distance_transform_edt(solid) ** 2).astype(int)
    ridge = [
        squares[y, x] ** 0.5
        for y, x in np.argwhere(squares > 1)
        if squares[y, x] == squares[y - 1 : y + 2, x - 1 : x + 2].max()
    ]
    even = max(0.0, 1 - np.std(ridge) / np.mean(ridge)) if ridge else 0.0
    inks = Counter(tuple(c // 16 for c in p) for p in pixels(rgba, 128))
    ink = inks.most_common(1)[0][1] / inks.total()
    return ink * even * min(1.0, solid.sum() / (8 * squares.max()))


@given(cutouts)
@settings(max_examples=150, deadline=None)
def test_text_like_against_loops_over_pixels(rgba):
    assert text_like(rgba) == pytest.approx(naive_text_like(rgba), abs=1e-4)


@pytest.mark.parametrize("k", range(0, NUM_CUTOUTS, 5))
def test_text_like_against_loops_on_whole_cut_outs(k):
    assert text_like(cutout(k)) == pytest.approx(naive_text_like(cutout(k)), abs=1e-4)


def lettering(text, outline=0):
    """Black letters on nothing, as a sticker or a watermark has them."""
    font = ImageFont.load_default(size=80)
    mask = Image.new("L", (80 * len(text), 120))
    ImageDraw.Draw(mask).text(
        (20, 10), text, fill=0 if outline else 255, font=font, stroke_width=outline, stroke_fill=255
    )
    alpha = np.asarray(mask)
    return np.dstack([np.zeros((*alpha.shape, 3), np.uint8), alpha])


def drawing(k):
    """A filled shape with a black outline and a highlight."""
    rng = np.random.default_rng([7, k])
    image = Image.new("RGBA", (200, 180))
    pen = ImageDraw.Draw(image)
    for y in range(int(rng.integers(2, 5))):
        fill = tuple(int(c) for c in rng.integers(0, 256, 3))
        pen.ellipse((20 + 12 * y, 15 + 20 * y, 180 - 8 * y, 165), fill=fill, outline=(0, 0, 0), width=4)
    return np.asarray(image)


@pytest.mark.parametrize("text", ["Hg", "SALE", "2026", "k", "@w"])
def test_lettering_is_text_like(text):
    assert text_like(lettering(text)) > 0.6
    assert text_like(lettering(text, outline=3)) > 0.6


def test_photographs_and_drawings_are_not_text_like():
    for k in range(NUM_CUTOUTS):
        assert text_like(cutout(k)) < 0.3
    for k in range(8):
        assert text_like(drawing(k)) < 0.5


def test_a_compact_black_shape_is_not_text_like_and_its_outline_is():
    y, x = np.mgrid[:120, :120] - 59.5
    for inner, low, high in ((0, 0.0, 0.45), (45, 0.8, 1.0)):
        ring = (np.hypot(x, y) < 55) & (np.hypot(x, y) >= inner)
        rgba = np.dstack([np.zeros((120, 120, 3), np.uint8), np.where(ring, 255, 0).astype(np.uint8)])
        assert low <= text_like(rgba) <= high


def test_strokes_of_wildly_different_width_score_nothing_rather_than_less():
    y, x = np.mgrid[:160, :160]
    alpha = np.where((np.hypot(x - 50, y - 80) < 40) | ((x > 95) & (x % 6 < 3) & (y % 6 < 3)), 255, 0)
    rgba = np.dstack([np.zeros((160, 160, 3), np.uint8), alpha.astype(np.uint8)])
    assert naive_text_like(rgba) == text_like(rgba) == 0.0


def test_a_drawing_is_flat_and_of_few_colours_and_a_photograph_is_neither():
    for k in range(8):
        assert flatness(drawing(k)) > 0.9
        assert palette(drawing(k)) > 0.9
    for k in range(NUM_CUTOUTS):
        assert flatness(cutout(k)) < 0.1
        assert palette(cutout(k)) < 0.1


def test_only_both_together_tell_a_drawing_from_special_photographs():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:200, :200]
    grey = np.rint(120 + 8 * np.sin(x / 30) + rng.normal(0, 3, (200, 200)))
    smooth = np.stack([x / 2 + 40, y / 2 + 60, (x + y) / 4 + 20], axis=2).astype(int)
    for rgb, flat, few in ((np.repeat(grey[..., None], 3, axis=2), False, True), (smooth, True, False)):
        rgba = np.dstack([rgb, np.full((200, 200), 255)]).astype(np.uint8)
        assert (flatness(rgba) > 0.2, palette(rgba) > 0.15) == (flat, few)


def test_over_and_under_exposure_are_counted_together_and_colour_is_neither():
    rgba = np.full((10, 10, 4), 255, np.uint8)
    rgba[:3, :, :3] = 254  # white
    rgba[3:5, :, :3] = (1, 0, 1)  # black
    rgba[5:9, :, :3] = (255, 0, 0)
    rgba[9, :, 3] = 249  # not opaque
    assert clipped(rgba) == pytest.approx(50 / 90)


def test_looks_are_measured_on_the_prepared_picture_and_the_rest_on_the_original():
    original, prepared = np.concatenate([cutout(3)] * 2, axis=1), np.ascontiguousarray(drawing(0)[::2, ::2])
    both = measure(original, prepared)
    looks = ("sharpness", "flatness", "palette", "clipped", "text_like")
    for name in both._fields:
        assert getattr(both, name) == getattr(measure(prepared if name in looks else original), name), name
        assert name not in looks or getattr(both, name) != getattr(measure(original), name)
