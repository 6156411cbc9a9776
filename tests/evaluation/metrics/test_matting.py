"""Matting errors against hand-computed cases and naive loops over pixels in whole numbers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evaluation.metrics.matting import conn, grad, mae, mse, pinned, sad, soft_iou, unknown
from tests.evaluation.metrics.pictures import soft_disc, strictly_rising

SUMS, MEANS = (sad, grad, conn), (mse, mae)
ERRORS = SUMS + MEANS
side = st.integers(1, 7)
few = st.sampled_from([0, 25, 26, 60, 127, 128, 179, 204, 230, 254, 255])  # many ties and many plateaus
pairs = st.tuples(side, side).flatmap(
    lambda hw: st.tuples(*[hnp.arrays(np.uint8, hw, elements=st.one_of(few, st.integers(0, 255)))] * 2)
)


def alpha(levels):
    return (levels / np.float32(255)).astype(np.float32)


def naive_slope(values):
    """Gradient magnitude by the definition: a 9 x 9 kernel of unit energy, edges repeated."""
    half = range(-4, 5)
    kernel = {(i, j): j * math.exp(-(i * i + j * j) / (2 * 1.4**2)) for i, j in itertools.product(half, half)}
    norm = math.sqrt(sum(v * v for v in kernel.values()))
    h, w = values.shape
    out = np.zeros((h, w))
    for y, x in itertools.product(range(h), range(w)):
        dx = dy = 0.0
        for (i, j), weight in kernel.items():
            v, u = min(max(y + i, 0), h - 1), min(max(x + j, 0), w - 1)
            dx += weight / norm * values[v, u]
            v, u = min(max(y + j, 0), h - 1), min(max(x + i, 0), w - 1)
            dy += weight / norm * values[v, u]
        out[y, x] = math.hypot(dx, dy)
    return out


def naive_largest(cells):
    """The largest 4-connected set of cells, the one met first in reading order among equals."""
    left, best = set(cells), set()
    for cell in sorted(cells):
        if cell not in left:
            continue
        part, todo = set(), [cell]
        while todo:
            y, x = todo.pop()
            if (y, x) in left:
                left.remove((y, x))
                part.add((y, x))
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
        best = part if len(part) > len(best) else best
    return best


def naive_conn(made, truth):
    """Conn of uint8 levels: every comparison is between whole numbers (tenths of alpha times 2550)."""
    cells = list(itertools.product(*map(range, made.shape)))
    tenth = dict.fromkeys(cells, None)
    for i in range(1, 11):
        source = naive_largest([c for c in cells if 10 * made[c] >= 255 * i and 10 * truth[c] >= 255 * i])
        for c in cells:
            if tenth[c] is None and c not in source:
                tenth[c] = i - 1
    total = 0.0
    for c in cells:
        level = 10 if tenth[c] is None else tenth[c]
        over = [10 * int(a[c]) - 255 * level for a in (made, truth)]
        kept = [v if 20 * v >= 3 * 2550 else 0 for v in over]  # theta = 0.15
        total += abs(kept[0] - kept[1]) / 2550
    return total / 1000


@settings(deadline=None, max_examples=40)
@given(pairs)
def test_grad_is_the_naive_sum(pair):
    made, truth = map(alpha, pair)
    expected = ((naive_slope(made.astype(float)) - naive_slope(truth.astype(float))) ** 2).sum() / 1000
    assert grad(made, truth) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=400)
@given(pairs)
def test_conn_is_the_naive_sum(pair):
    made, truth = pair
    as_int = [levels.astype(int) for levels in pair]
    assert conn(alpha(made), alpha(truth)) == pytest.approx(naive_conn(*as_int), abs=1e-8)


@settings(deadline=None)
@given(pairs)
def test_sums_and_means_are_the_naive_ones(pair):
    made, truth = pair
    off = [abs(int(a) - int(b)) / 255 for a, b in zip(made.flat, truth.flat, strict=True)]
    assert sad(alpha(made), alpha(truth)) == pytest.approx(sum(off) / 1000, abs=1e-8)
    assert mae(alpha(made), alpha(truth)) == pytest.approx(sum(off) / len(off), abs=1e-6)
    assert mse(alpha(made), alpha(truth)) == pytest.approx(sum(v * v for v in off) / len(off), abs=1e-6)


def test_by_hand():
    truth = np.array([[1, 0.5, 0, 0]], np.float32)
    made = np.array([[1, 0, 0.25, 0]], np.float32)
    assert sad(made, truth) == pytest.approx(0.75 / 1000)
    assert mae(made, truth) == pytest.approx(0.75 / 4)
    assert mse(made, truth) == pytest.approx((0.25 + 0.0625) / 4)
    assert soft_iou(made, truth) == pytest.approx(1 / 1.75)


def test_published_figures():
    """The case and the numbers of MMEditing's own tests (open-mmlab, tests of `gradient_error` and `connectivity`)."""
    trimap = np.zeros((32, 32), np.uint8)
    trimap[:16, :16], trimap[16:, 16:] = 128, 255
    truth, made = np.ones((32, 32), np.float32), pinned(np.zeros((32, 32), np.float32), trimap)
    assert grad(made, truth, unknown(trimap)) == pytest.approx(0.0028887, abs=5e-8)
    assert conn(made, truth, unknown(trimap)) == pytest.approx(0.256)
    assert sad(made, truth, unknown(trimap)) == pytest.approx(0.256)


def test_conn_by_hand():
    """The first two pixels are the source; the lone one is not connected at any level, and half of it is missing."""
    truth = np.array([[1, 1, 0, 1, 0]], np.float32)
    made = np.array([[1, 1, 0, 0.5, 0]], np.float32)
    assert conn(made, truth) == pytest.approx(0.5 / 1000)
    joined = np.array([[1, 1, 1, 1, 0]], np.float32)
    assert conn(joined, truth) == pytest.approx(1 / 1000)  # the bridge, not in both
    assert conn(joined, joined) == 0


@pytest.mark.parametrize(("gap", "counts"), [(0.14, False), (0.16, True)])
def test_conn_overlooks_gaps_below_theta(gap, counts):
    """Up to 0.5 both are one part; what one of them has above is a gap to that level."""
    truth = np.array([[1, 0.5]], np.float32)
    made = np.array([[1, 0.5 + gap]], np.float32)
    assert conn(made, truth) == pytest.approx(gap / 1000 if counts else 0, rel=1e-5)


def test_grad_does_not_stretch_a_faint_matte():
    truth = soft_disc()
    assert grad(truth * np.float32(0.5), truth) > 0
    assert grad(np.full_like(truth, 0.3), np.full_like(truth, 0.9)) == pytest.approx(0, abs=1e-12)


@settings(deadline=None)
@given(pairs)
def test_perfect_mattes_have_no_error(pair):
    truth = alpha(pair[0])
    assert [f(truth, truth) for f in ERRORS] == [0] * 5
    assert soft_iou(truth, truth) == pytest.approx(1 if truth.any() else math.nan, nan_ok=True)


@settings(deadline=None)
@given(pairs)
def test_errors_do_not_depend_on_order_or_side(pair):
    made, truth = map(alpha, pair)
    for f in (sad, grad, mse, mae, soft_iou):
        value = f(made, truth)
        for a, b in ((truth, made), (made[::-1], truth[::-1]), (made.T, truth.T)):
            assert f(a, b) == pytest.approx(value, abs=1e-9, nan_ok=True)
    assert conn(truth, made) == pytest.approx(conn(made, truth))


def test_errors_grow_with_damage():
    """Within the rim of 4 pixels: gradients that no longer overlap cannot get worse."""
    truth = soft_disc(radius=14)
    series = {
        "smaller": [soft_disc(radius=14 - step) for step in range(4)],
        "moved": [soft_disc(radius=14, x=28 + step) for step in range(4)],
        "fainter": [truth * np.float32(1 - step / 4) for step in range(4)],
    }
    for mattes in series.values():
        for f in ERRORS:
            values = [f(made, truth) for made in mattes]
            assert values[0] == 0
            assert strictly_rising(values)
        assert strictly_rising([1 - soft_iou(made, truth) for made in mattes])


@pytest.mark.parametrize("f", ERRORS)
def test_regions_share_the_sum(f):
    truth, made = soft_disc(), soft_disc(x=31)
    inside = (truth > 0) & (truth < 1)
    a, b = (f(made, truth, region) for region in (inside, ~inside))
    share = 1 if f in SUMS else inside.mean()
    other = 1 if f in SUMS else 1 - share
    assert share * a + other * b == pytest.approx(f(made, truth))
    assert a > 0
    assert math.isnan(f(made, truth, inside & ~inside))


def test_soft_iou_of_a_region():
    truth = np.array([[1, 0.5, 0, 0]], np.float32)
    made = np.array([[1, 0, 0.25, 0]], np.float32)
    assert soft_iou(made, truth, np.array([[True, True, False, False]])) == pytest.approx(1 / 1.5)
    assert math.isnan(soft_iou(made, truth, np.array([[False, False, False, True]])))
    assert soft_iou(made, np.zeros_like(made)) == 0


def test_trimaps():
    trimap = np.array([[0, 128, 255]], np.uint8)
    made = np.array([[0.3, 0.4, 0.5]], np.float32)
    assert unknown(trimap).tolist() == [[False, True, False]]
    held = pinned(made, trimap)
    assert held.dtype == np.float32
    assert held.tolist() == np.array([[0, 0.4, 1]], np.float32).tolist()
    assert made[0, 0] == np.float32(0.3)
