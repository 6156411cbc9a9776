"""Features of sets: order, sizes, batches, and extractors that misbehave."""

import numpy as np
import pytest

from evaluation.errors import EvalError
from evaluation.metrics.cmmd import cmmd, gaussian_mmd2
from evaluation.metrics.features import Extractor, SetScore, features
from evaluation.metrics.fid import fid, frechet
from evaluation.metrics.kid import kid, polynomial_mmd2
from tests.evaluation.metrics.pictures import DAMAGE, damaged, picture, strictly_rising
from tests.evaluation.metrics.sets import MEAN_COLOUR, MOMENTS

PICTURES = [picture(i, *size) for i, size in enumerate([(8, 9)] * 5 + [(7, 4)] * 2 + [(8, 9)])]


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_one_row_a_picture_in_order(batch):
    expected = np.stack([p.reshape(-1, 3).mean(axis=0) for p in PICTURES])
    found = features(iter(PICTURES), MEAN_COLOUR, batch)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected)


def test_batches_hold_neighbours_of_one_size():
    seen = []

    def run(stack):
        seen.append((stack.shape, stack.dtype, stack.flags.c_contiguous))
        return np.zeros((len(stack), 2), np.float32)

    features(PICTURES, Extractor("recorder", run), batch=3)
    shapes = [(3, 3, 8, 9), (2, 3, 8, 9), (2, 3, 7, 4), (1, 3, 8, 9)]
    assert seen == [(shape, np.uint8, True) for shape in shapes]


def test_no_pictures():
    assert features([], MEAN_COLOUR).shape == (0, 0)
    scores = [f([], [], MEAN_COLOUR) for f in (fid, kid, cmmd)]
    assert all(np.isnan(s.value) for s in scores)


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (np.zeros((2, 3, 1)), r"^extractor bad: must return \(2, D\) features, returned \(2, 3, 1\)$"),
        (np.zeros((1, 3)), r"^extractor bad: must return \(2, D\) features, returned \(1, 3\)$"),
        (np.array([[0.0], [np.nan]]), r"^extractor bad: returned features that are not finite$"),
    ],
)
def test_bad_extractors(returned, text):
    with pytest.raises(EvalError, match=text):
        features([picture(1), picture(2)], Extractor("bad", lambda _: returned))


@pytest.mark.parametrize(
    ("score", "name", "distance"),
    [
        (fid, "FID", frechet),
        (kid, "KID", polynomial_mmd2),
        (cmmd, "CMMD", lambda a, b: 1000 * gaussian_mmd2(a, b, sigma=10)),
    ],
)
def test_scores_are_labelled_with_their_extractor(score, name, distance):
    made, truth = PICTURES[:4], PICTURES[3:]
    expected = distance(features(made, MOMENTS), features(truth, MOMENTS))
    found = score(made, truth, MOMENTS)
    assert found == SetScore(f"{name} (mean and deviation)", pytest.approx(expected), 4, 5)


@pytest.mark.parametrize("score", [fid, kid, cmmd])
def test_worse_pictures_score_worse(score):
    truth = [picture(i, 16, 16) for i in range(12)]
    sets = [[damaged(p, i, levels) for i, p in enumerate(truth)] for levels in DAMAGE]
    values = [score(made, truth, MOMENTS).value for made in sets]
    assert strictly_rising(values)
