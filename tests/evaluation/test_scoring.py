"""The registry of metrics: which truth and which layer each reads, in which region, which way is better."""

import math
from typing import Any

import numpy as np
import pytest

from evaluation.layers import Answer
from evaluation.metrics.psnr import psnr
from evaluation.metrics.regions import regions
from evaluation.sample import Item
from evaluation.scoring import metrics, pair

SIDE = 40
NAMES = sorted(metrics())


def scene(**changes: Any) -> Item:
    """A disc, its right half hidden by a bar, over noise."""
    g = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(y - 20, x - 18) < 11
    bar = x >= 20
    clean, colour = (g.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(2))
    clean[bar] = (200, 30, 30)
    foreground = np.dstack([colour, disc * 255]).astype(np.uint8)
    visible = (disc & ~bar).astype(np.float32)
    picture = np.where((disc & ~bar)[..., None], colour, clean)
    mask = np.hypot(y - 20, x - 16) < 8
    effect = disc | (y > 34)
    whole = disc.astype(np.float32)
    made = Item("a", picture, mask, clean, effect, whole, foreground, visible)
    return made._replace(**changes)


def perfect(item: Item) -> Answer:
    return Answer(item.clean, item.foreground)


def worse(item: Item) -> Answer:
    """The picture for a background, the visible part for the object, in wrong colours."""
    assert item.visible is not None
    return Answer(item.picture, np.dstack([255 - item.picture, (item.visible * 255).astype(np.uint8)]))


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_scores_best(name: str) -> None:
    metric = metrics()[name]
    best = metric.score(pair(scene(), perfect(scene()), 3))
    other = metric.score(pair(scene(), worse(scene()), 3))
    assert not math.isnan(best)
    if name.endswith((".outside", ".ring")) or name == "visible_iou":  # the worse answer is right there
        assert other <= best if metric.info.higher_is_better else other >= best
    else:
        assert (other < best) if metric.info.higher_is_better else (other > best)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_has_no_score(name: str) -> None:
    metric = metrics()[name]
    bare = scene(clean=None, alpha=None, foreground=None, visible=None)
    if name != "recomposition_psnr":  # which needs no truth
        assert math.isnan(metric.score(pair(bare, perfect(scene()), 3)))
    assert math.isnan(metric.score(pair(scene(), Answer(), 3)))


def test_removal_is_scored_where_the_object_changes_the_picture() -> None:
    item, answer = scene(), worse(scene())
    assert item.effect is not None
    assert item.mask is not None
    assert answer.background is not None
    assert item.clean is not None
    score = metrics()["psnr.mask"].score
    assert score(pair(item, answer, 3)) == psnr(answer.background, item.clean, item.effect)
    plain = item._replace(effect=None)
    assert score(pair(plain, answer, 3)) == psnr(answer.background, item.clean, item.mask)
    ring = metrics()["psnr.ring"].score(pair(plain, answer, 5))
    assert ring == psnr(answer.background, item.clean, regions(item.mask, 5)["ring"])


def test_the_whole_alpha_goes_before_the_one_that_shows() -> None:
    item = scene()
    assert item.foreground is not None
    assert item.visible is not None
    score = metrics()["mae"].score
    expected = float(np.abs(item.foreground[..., 3] / 255 - item.visible).mean())
    assert expected > 0.05
    assert score(pair(item._replace(alpha=item.visible), worse(item), 3)) == pytest.approx(expected)
    assert score(pair(item._replace(foreground=None, alpha=item.visible), worse(item), 3)) == 0


def test_recomposition_does_not_look_at_hidden_pixels() -> None:
    item = scene()
    answer = perfect(item)
    score = metrics()["recomposition_psnr"].score
    assert score(pair(item, answer, 3)) == 100
    assert score(pair(item._replace(visible=None), answer, 3)) < 20


def test_every_column_says_what_it_is() -> None:
    infos = [metric.info for metric in metrics().values()]
    assert all(info.definition and info.title for info in infos)
    assert len({info.title for info in infos}) == len(infos)
    assert {i.name for i in infos if not i.higher_is_better} >= {"sad", "mse", "grad", "conn", "stlpips.mask"}
