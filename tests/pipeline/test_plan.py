"""Planning: the asked distributions, independence of order and attempt, and what a scene may be made of."""

import math
import pickle
import random
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from pipeline.assets import Asset
from pipeline.manifest import Manifest
from pipeline.plan import Planner, unoccluded
from stages.types import Placement, Recipe, Rejected
from tests.makers import make_asset, make_background, make_manifest

N = 4000
KNOBS = [
    {"seed": 11},
    {
        "seed": 12,
        "objects": {
            "counts": {"1": 1, "2": 2, "3": 7},
            "real_fraction": 0.8,
            "air_fraction": 0.6,
            "area_sigma": 0.9,
            "area_bounds": (0.05, 0.3),
        },
        "occlusion": {"fraction": 0.85, "visible": (0.5, 0.6)},
        "shadow": {"fraction": 0.25, "density": (0.1, 0.2)},
        "mask": {"weights": {"exact": 1, "box": 3}, "strength": (0.2, 0.4)},
    },
    {"seed": 13, "objects": {"counts": {"1": 3, "3": 1}}, "occlusion": {"fraction": 0.1}},
]


def table(split: str = "train", **more) -> list[Asset]:
    """Assets of one split: standing and flying, real and generated, cut and whole, ground and sky."""
    rng = np.random.default_rng(5)
    assets = []
    for k in range(24):
        w, h = (int(v) for v in rng.integers(90, 220, 2))
        facts = {"width": w, "height": h, "area_px": 0.7 * w * h, "split": split, "light_x": (0.0, 0.8, -0.8)[k % 3]}
        assets.append(make_asset(f"{split}-real{k}", long_side_m=0.2 + 0.05 * k, **facts, **more))
        assets.append(make_asset(f"{split}-made{k}", origin="generated", **facts, **more))
    for k in range(6):
        assets.append(make_asset(f"{split}-kite{k}", support="air", split=split))
    for k, cut in enumerate(("l", "t", "r", "b", "lb")):
        assets.append(make_asset(f"{split}-cut{k}", cut=cut, split=split))
    for k in range(8):
        horizon = (0.4, None, 0.1, -0.6)[k % 4]
        assets.append(make_background(f"{split}-back{k}", horizon=horizon, split=split))
    return [*assets, make_background(f"{split}-sky", horizon=1.0, support="air", split=split)]


ASSETS = table("train") + table("val") + table("test")
BY_ID = {a.id: a for a in ASSETS}


def accepted(planner: Planner, index: int) -> Recipe:
    for attempt in range(20):
        recipe = planner.plan(index, attempt)
        if isinstance(recipe, Recipe):
            return recipe
    raise AssertionError(f"sample {index}: 20 layouts rejected, the last: {recipe}")


def recipes(manifest: Manifest, count: int, split: str = "train") -> list[Recipe]:
    planner = Planner(manifest, ASSETS, split)
    return [accepted(planner, k) for k in range(count)]


def target_of(recipe: Recipe) -> Placement:
    (target,) = [o for o in recipe.objects if o.role == "target"]
    return target


def within(found: int, n: int, share: float) -> bool:
    """Whether a count lies within three standard deviations of the binomial's mean."""
    return abs(found - n * share) <= 3 * math.sqrt(n * share * (1 - share)) + 1e-9


def uniform(values: list[float], low: float, high: float) -> bool:
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 0.003


@pytest.fixture(scope="module", params=KNOBS, ids=["defaults", "skewed", "mostly-single"])
def drawn(request: pytest.FixtureRequest):
    manifest = make_manifest(**request.param)
    planner = Planner(manifest, ASSETS, "train")
    return manifest, [planner.scene(k) for k in range(N)]


def test_shares_are_those_asked(drawn) -> None:
    m, scenes = drawn
    assert within(sum(s.occluded for s in scenes), N, m.occlusion.fraction)
    assert within(sum(s.real for s in scenes), N, m.objects.real_fraction)
    assert within(sum(s.shadow for s in scenes), N, m.shadow.fraction)
    unshadowed = [s for s in scenes if not s.shadow]
    assert within(sum(s.air for s in unshadowed), len(unshadowed), m.objects.air_fraction)
    assert not any(s.air for s in scenes if s.shadow)


def test_counts_of_objects_are_those_asked(drawn) -> None:
    m, scenes = drawn
    for n in ("1", "2", "3"):
        assert within(sum(s.num_objects == int(n) for s in scenes), N, m.objects.share(n))
    assert all(s.num_objects > 1 for s in scenes if s.occluded)


def test_visible_fractions_are_uniform(drawn) -> None:
    m, scenes = drawn
    visible = [s.visible for s in scenes if s.occluded]
    assert uniform(visible, *m.occlusion.visible)
    assert {s.visible for s in scenes if not s.occluded} == {1.0}


def test_areas_are_log_normal_within_bounds(drawn) -> None:
    m, scenes = drawn
    low, high = m.objects.area_bounds
    whole = stats.lognorm(s=m.objects.area_sigma, scale=m.objects.area_median)
    inside = whole.cdf(high) - whole.cdf(low)
    areas = np.array([s.area for s in scenes])
    assert areas.min() >= low
    assert areas.max() <= high
    assert stats.kstest(areas, lambda x: (whole.cdf(x) - whole.cdf(low)) / inside).pvalue > 0.003


def test_masks_are_those_asked(drawn) -> None:
    m, scenes = drawn
    kinds = Counter(s.mask.kind for s in scenes)
    total = sum(m.mask.weights.values())
    assert set(kinds) == set(m.mask.weights)
    # Twenty kinds, so one may be a little farther off than three deviations by chance: test them together.
    asked = [m.mask.weights[kind] / total * N for kind in kinds]
    assert stats.chisquare(list(kinds.values()), asked).pvalue > 0.003
    assert uniform([s.mask.strength for s in scenes], *m.mask.strength)


def test_what_a_scene_is_is_drawn_independently(drawn) -> None:
    _, scenes = drawn
    columns = np.array([[s.occluded, s.real, s.shadow, s.mask.strength] for s in scenes], dtype=float)
    for a in range(4):
        for b in range(a):
            assert abs(np.corrcoef(columns[:, a], columns[:, b])[0, 1]) < 3 / math.sqrt(N)


def test_splits_and_seeds_draw_other_scenes() -> None:
    planners = [Planner(make_manifest(seed=seed), ASSETS, s) for seed in (1, 2) for s in ("train", "val")]
    strengths = [tuple(p.scene(k).mask.strength for k in range(50)) for p in planners]
    assert len({value for column in strengths for value in column}) == 200


def test_a_plan_is_a_function_of_split_index_and_attempt() -> None:
    manifest = make_manifest()
    asked = [(k, attempt) for k in range(40) for attempt in (0, 1)]
    straight = Planner(manifest, ASSETS, "train")
    plain = {pair: straight.plan(*pair) for pair in asked}
    shuffled = random.Random(3).sample(asked, len(asked))
    other = pickle.loads(pickle.dumps(Planner(manifest, ASSETS, "train")))
    assert {pair: other.plan(*pair) for pair in shuffled} == plain
    assert all(plain[k, 0] != plain[k, 1] for k in range(40))


def test_a_recipe_survives_json() -> None:
    for recipe in recipes(make_manifest(), 30):
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_the_scene_does_not_depend_on_the_attempt() -> None:
    planner = Planner(make_manifest(), ASSETS, "train")
    for index in range(60):
        scene = planner.scene(index)
        for recipe in (planner.plan(index, attempt) for attempt in range(15)):
            if isinstance(recipe, Rejected):
                continue
            target = target_of(recipe)
            assert len(recipe.objects) == scene.num_objects
            assert recipe.mask == scene.mask
            assert (recipe.occlusion.visible if recipe.occlusion else 1.0) == scene.visible
            assert (BY_ID[target.asset].origin == "real") is scene.real
            assert (target.shadow is not None) is scene.shadow


def test_no_asset_of_another_split() -> None:
    for split in ("train", "val", "test"):
        for recipe in recipes(make_manifest(), 150, split):
            used = {recipe.plate.asset, *(o.asset for o in recipe.objects)}
            assert {BY_ID[name].split for name in used} == {split}


@pytest.mark.parametrize("bound", [0.5, 1.0, 1.25])
def test_nothing_is_enlarged_beyond_the_bound(bound: float) -> None:
    knobs = {"max_upscale": bound, "area_bounds": (0.005, 0.45)}
    manifest = make_manifest(size=256, objects=knobs, occlusion={"visible": (0.6, 0.95)})
    largest = max(o.scale for r in recipes(manifest, 300) for o in r.objects)
    assert 0.9 * bound < largest <= bound


def test_the_target_covers_the_area_asked() -> None:
    manifest = make_manifest(size=128)
    planner = Planner(manifest, ASSETS, "train")
    missed = 0
    for index in range(300):
        target = target_of(accepted(planner, index))
        covers = BY_ID[target.asset].area_px * target.scale**2 / manifest.size**2
        assert covers <= planner.scene(index).area * (1 + 1e-9)
        missed += covers < planner.scene(index).area * (1 - 1e-9)
    assert missed < 30  # long things, and turned ones, that would not fit the canvas


def test_shadows_share_one_direction_and_what_flies_or_is_cut_throws_none() -> None:
    seen = Counter()
    for recipe in recipes(make_manifest(), 400):
        shadows = {o.shadow for o in recipe.objects if o.shadow is not None}
        assert len(shadows) <= 1
        for o in recipe.objects:
            asset = BY_ID[o.asset]
            if asset.support == "air" or asset.cut:
                assert o.shadow is None
            elif shadows:
                assert o.shadow in shadows
        seen[len(shadows)] += 1
    assert within(seen[1], 400, 0.7)


def test_a_kite_beside_what_stands_throws_no_shadow() -> None:
    assets = [make_asset("pot"), make_asset("kite", support="air"), make_background("b")]
    knobs = {"occlusion": {"fraction": 0.0}, "objects": {"counts": {"2": 1}, "real_fraction": 1.0}}
    manifest = make_manifest(shadow={"fraction": 1.0}, **knobs)
    planner = Planner(manifest, [a.model_copy(update={"split": "train"}) for a in assets], "train")
    recipe = planner.plan(0, 12)  # late attempts take what there is
    assert isinstance(recipe, Recipe)
    shadows = {o.asset: o.shadow for o in recipe.objects}
    assert shadows["kite"] is None
    assert shadows["pot"] is not None


def test_shadows_fall_away_from_the_light() -> None:
    checked = 0
    for recipe in recipes(make_manifest(), 300):
        for o in recipe.objects:
            light = BY_ID[o.asset].light_x * (-1 if o.flip else 1)
            if o.shadow is not None and light:
                assert light * o.shadow.shear < 0
                checked += 1
    assert checked > 50


def edges(o: Placement, asset: Asset) -> dict[str, float]:
    """How far each side of a placed, unturned object's box is over the canvas border of 128 px (negative: inside)."""
    left = o.x - o.anchor_x * asset.width * o.scale
    top = o.y - o.anchor_y * asset.height * o.scale
    right, bottom = left + asset.width * o.scale, top + asset.height * o.scale
    return {"l": -left, "t": -top, "r": right - 128, "b": bottom - 128}


def test_cut_targets_touch_their_border_and_cut_things_are_nothing_else() -> None:
    found = Counter()
    for recipe in recipes(make_manifest(shadow={"fraction": 0.0}), 800):
        for o in recipe.objects:
            asset = BY_ID[o.asset]
            if not asset.cut:
                continue
            assert o.role == "target"
            assert o.rotation == 0.0
            for side in asset.cut.translate(str.maketrans("lr", "rl")) if o.flip else asset.cut:
                assert edges(o, asset)[side] == pytest.approx(1.0)  # the matte's last row is hidden
            found[asset.cut, o.flip] += 1
    assert {cut for cut, _ in found} == {"l", "t", "r", "b", "lb"}
    assert {flip for _, flip in found} == {False, True}


def test_standing_targets_stand_below_the_horizon_and_in_the_frame() -> None:
    checked = 0
    for recipe in recipes(make_manifest(), 400):
        target, back = target_of(recipe), BY_ID[recipe.plate.asset]
        asset = BY_ID[target.asset]
        if asset.support == "air" or asset.cut or back.horizon is None:
            continue
        assert back.support == "ground"
        line = (back.horizon * back.height - recipe.plate.y) / recipe.plate.side * recipe.size
        assert max(line, 0) < target.y <= 0.985 * recipe.size
        assert target.anchor_y == 1.0
        checked += 1
    assert checked > 100


def test_plates_lie_in_their_photograph_and_are_hardly_enlarged() -> None:
    for recipe in recipes(make_manifest(size=160), 200):
        plate, back = recipe.plate, BY_ID[recipe.plate.asset]
        assert 0 <= plate.x <= back.width - plate.side
        assert 0 <= plate.y <= back.height - plate.side
        assert recipe.size / plate.side <= 1.26


def test_depth_order_and_roles() -> None:
    order = ("behind", "target", "front")
    for recipe in recipes(make_manifest(), 300):
        ranks = [order.index(o.role) for o in recipe.objects]
        assert ranks == sorted(ranks)
        assert ranks.count(1) == 1
        names = [o.asset for o in recipe.objects]
        assert names.count(target_of(recipe).asset) == 1
        if recipe.occlusion:
            assert recipe.objects[recipe.occlusion.slider].role == "front"
            assert math.hypot(recipe.occlusion.dx, recipe.occlusion.dy) == pytest.approx(1.0)


@pytest.mark.parametrize(("share", "origins"), [(0.0, {"generated"}), (1.0, {"real"})])
def test_all_or_none_real(share: float, origins: set[str]) -> None:
    made = recipes(make_manifest(objects={"real_fraction": share}), 100)
    assert {BY_ID[target_of(r).asset].origin for r in made} == origins


def test_the_unoccluded_twin_lacks_only_what_is_in_front() -> None:
    for recipe in recipes(make_manifest(occlusion={"fraction": 0.7}), 60):
        twin = unoccluded(recipe)
        assert twin.occlusion is None
        assert twin.objects == tuple(o for o in recipe.objects if o.role != "front")
        same = {"plate", "mask", "size", "min_area", "min_visible_px"}
        assert twin.model_dump(include=same) == recipe.model_dump(include=same)


@pytest.mark.parametrize("fraction", [0.0, 0.6, 1.0])
def test_paired_scenes_keep_the_share_of_occluded_ones(fraction: float) -> None:
    knobs = {"occlusion": {"fraction": fraction}, "objects": {"counts": {"2": 1, "3": 1}}}
    planner = Planner(make_manifest(paired=True, shard_size=8, **knobs), ASSETS, "train")
    even, odd = ([planner.scene(k) for k in range(start, N, 2)] for start in (0, 1))
    assert not any(s.occluded for s in odd)  # it would have no twin
    drawn = even + [s for s, before in zip(odd, even, strict=True) if not before.occluded]
    assert within(sum(s.occluded for s in drawn), len(drawn), fraction)


def rejected(assets: list[Asset], **knobs) -> set[str]:
    planner = Planner(make_manifest(**knobs), [a.model_copy(update={"split": "train"}) for a in assets], "train")
    plans = [planner.plan(k, attempt) for k in range(20) for attempt in (0, 12)]
    return {p.reason for p in plans if isinstance(p, Rejected)}


def test_reasons_for_rejection() -> None:
    always = {"occlusion": {"fraction": 1.0}, "objects": {"counts": {"2": 1}, "real_fraction": 1.0}}
    ground = make_background("b")
    tiny = make_asset("tiny", width=10, height=10, area_px=90.0)
    assert rejected([ground, tiny, make_asset("x")], objects={"real_fraction": 1.0, "max_upscale": 0.1}) == {
        "asset_too_small"
    }
    assert rejected([ground, make_asset("alone")], **always) == {"no_companion"}
    assert rejected([ground, make_asset("x"), tiny], **always) == {"no_occluder"}
    far = make_asset("far", long_side_m=40.0)
    assert rejected([ground, make_asset("x", long_side_m=0.1), far], **always) == {"no_companion"}


def test_things_of_like_size_go_together_unless_there_are_none() -> None:
    for index in range(150):
        recipe = Planner(make_manifest(), ASSETS, "train").plan(index, 0)
        if isinstance(recipe, Rejected):
            continue
        lengths = [BY_ID[o.asset].long_side_m for o in recipe.objects]
        target = BY_ID[target_of(recipe).asset].long_side_m
        assert all(not n or not target or max(n / target, target / n) <= 4 for n in lengths)
    pair = [make_asset("x", long_side_m=0.1), make_asset("far", long_side_m=40.0), make_background("b")]
    manifest = make_manifest(occlusion={"fraction": 0.0}, objects={"counts": {"2": 1}, "real_fraction": 1.0})
    planner = Planner(manifest, [a.model_copy(update={"split": "train"}) for a in pair], "train")
    assert isinstance(planner.plan(0, 0), Rejected)
    assert isinstance(planner.plan(0, 10), Recipe)
