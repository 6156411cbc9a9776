"""Bootstrap intervals against scipy, the normal approximation and their own coverage."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.metrics.bootstrap import Interval, interval, paired

numbers = st.lists(st.one_of(st.floats(-100, 100), st.just(math.nan)), min_size=0, max_size=12)


def sample(seed, count):
    return np.random.default_rng(seed).normal(3, 2, count)


def test_near_scipy():
    values = np.random.default_rng(1).exponential(5, 60)  # skewed, so both ends are told apart
    found = interval(values.tolist(), seed=2, draws=20000)
    peer = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20000, rng=np.random.default_rng(3))
    low, high = peer.confidence_interval
    tolerance = 0.03 * (high - low)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(low, abs=tolerance)
    assert found.high == pytest.approx(high, abs=tolerance)


@pytest.mark.parametrize(("level", "z"), [(0.95, 1.959964), (0.8, 1.281552)])
def test_near_the_normal_interval_of_many(level, z):
    values = sample(4, 3000)  # more than one block of draws
    found = interval(values.tolist(), seed=5, level=level)
    reach = z * values.std() / math.sqrt(3000)
    assert found.high - found.mean == pytest.approx(reach, rel=0.06)
    assert found.mean - found.low == pytest.approx(reach, rel=0.06)


def test_covers_the_true_mean_about_as_often_as_it_says():
    """600 experiments; the share has a standard error of 0.009, and a percentile interval of 40 is a bit short."""
    found = [interval(sample(i, 40).tolist(), seed=i, draws=400) for i in range(600)]
    share = np.mean([f.low <= 3 <= f.high for f in found])
    assert 0.9 < share < 0.97


def test_is_the_same_every_time():
    values = sample(6, 50).tolist()
    assert interval(values, seed=7) == interval(values, seed=7)
    assert interval(values, seed=7) != interval(values, seed=8)
    assert interval([1.0, 2.0, 4.0], seed=0, draws=7).count == 3


def test_known_numbers_stay():
    """A change of the random stream would change every published interval."""
    found = interval([1.0, 2.0, 4.0, 8.0, 16.0], seed=0)
    assert (found.mean, found.low, found.high) == pytest.approx((6.2, 2.0, 11.2))


def test_near_the_exact_interval_of_few():
    """All 5^5 resamples, each as likely: the quantiles at 2 and 3 % (97 and 98 %) hold the sampled ones."""
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    every = np.mean(list(itertools.product(values, repeat=5)), axis=1)
    found = interval(values, seed=3, draws=20000)
    assert np.quantile(every, 0.02) <= found.low <= np.quantile(every, 0.03)
    assert np.quantile(every, 0.97) <= found.high <= np.quantile(every, 0.98)


@given(numbers, st.integers(0, 5))
def test_holds_its_mean_and_leaves_out_what_has_no_score(values, seed):
    found = interval(values, seed, draws=50)
    scored = [v for v in values if not math.isnan(v)]
    assert found.count == len(scored)
    if scored:
        assert found.mean == pytest.approx(np.mean(scored), abs=1e-9)
        assert min(scored) - 1e-9 <= found.low <= found.high <= max(scored) + 1e-9
        assert interval(scored, seed, draws=50) == found
    else:
        assert all(map(math.isnan, (found.mean, found.low, found.high)))


def test_one_picture_and_equal_pictures():
    assert interval([5.0], seed=0) == Interval(5, 5, 5, 1)
    assert interval([2.5] * 9, seed=0) == Interval(2.5, 2.5, 2.5, 9)


def test_wider_with_confidence_narrower_with_pictures():
    values = sample(9, 400).tolist()
    ends = [interval(values, seed=1, level=level) for level in (0.5, 0.8, 0.95, 0.99)]
    assert [e.low for e in ends] == sorted({e.low for e in ends}, reverse=True)
    assert [e.high for e in ends] == sorted({e.high for e in ends})
    few, many = interval(values[:25], seed=1), interval(values, seed=1)
    assert few.high - few.low > many.high - many.low


def test_scales_with_the_values():
    values = sample(10, 30)
    plain, scaled = interval(values.tolist(), seed=3), interval((values * 4 - 1).tolist(), seed=3)
    assert (scaled.low, scaled.high) == pytest.approx((plain.low * 4 - 1, plain.high * 4 - 1))


def test_pairs_are_of_one_picture():
    """Pictures differ far more than the two methods: only the pairs show which one is better."""
    a = np.random.default_rng(11).normal(0, 10, 40)
    b = a - 0.5 + np.random.default_rng(12).normal(0, 0.3, 40)
    found = paired(a.tolist(), b.tolist(), seed=1)
    assert found.low > 0
    alone = [interval(v.tolist(), seed=1) for v in (a, b)]
    assert alone[0].low < alone[1].high
    back = paired(b.tolist(), a.tolist(), seed=1)
    assert (back.mean, back.low, back.high) == pytest.approx((-found.mean, -found.high, -found.low))


def test_pairs_need_both():
    a, b = [1.0, math.nan, 3.0, 4.0], [0.5, 1.0, math.nan, 2.0]
    found = paired(a, b, seed=0)
    assert found.count == 2
    assert found.mean == pytest.approx((0.5 + 2) / 2)
    assert paired([7.0] * 5, [5.0] * 5, seed=0) == Interval(2, 2, 2, 5)
    with pytest.raises(AssertionError, match="one score a picture: 1 and 2"):
        paired([1.0], [1.0, 2.0], seed=0)
