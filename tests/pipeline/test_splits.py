"""Splits by cluster: nothing is seen in training and in test, every split gets its share."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import AssetError
from pipeline.splits import assign, keep_best
from tests.makers import make_asset, make_background, make_manifest

FAR = [0x0F0F_F0F0_1234_5678, 0xFFFF_0000_AAAA_0000, 0x3C3C_3C3C_C3C3_C3C3, 0x0000_FFFF_5A5A_A5A5]


def hashed(name: str, phash: int, w: int = 100, h: int = 100, **more):
    return make_asset(name, phash=f"{phash:016x}", width=w, height=h, **more)


def table(real: int = 30, generated: int = 12, air: int = 6, cut: int = 3, backgrounds: int = 20):
    assets = [make_asset(f"r{k}") for k in range(real)]
    assets += [make_asset(f"g{k}", origin="generated") for k in range(generated)]
    assets += [make_asset(f"a{k}", support="air") for k in range(air)]
    assets += [make_asset(f"c{k}", cut="b") for k in range(cut)]
    return assets + [make_background(f"b{k}") for k in range(backgrounds)]


def kind(a) -> tuple[str, str, str]:
    return a.role, a.origin, "cut" if a.cut else a.support


def test_the_largest_of_a_cluster_is_kept_and_the_rest_told() -> None:
    small, large, middle = (hashed(n, FAR[0], s, s) for n, s in (("small", 50), ("large", 90), ("middle", 70)))
    other = hashed("other", FAR[1], 10, 10)
    kept, dropped = keep_best([small, large, other, middle], 6)
    assert [a.id for a in kept] == ["large", "other"]
    assert [(a.id, b.id) for a, b in dropped] == [("small", "large"), ("middle", "large")]
    assert [a.cluster for a in kept] == ["large", "other"]


def test_of_equal_size_the_first_name_is_kept() -> None:
    twins = [hashed(n, FAR[0]) for n in "cab"]
    for order in (twins, twins[::-1], [twins[1], twins[2], twins[0]]):
        kept, dropped = keep_best(order, 0)
        assert [a.id for a in kept] == ["a"]
        assert sorted(a.id for a, _ in dropped) == ["b", "c"]


@pytest.mark.parametrize(("bits", "kept"), [(0, 1), (5, 1), (6, 1), (7, 2)])
def test_the_distance_is_the_bound(bits: int, kept: int) -> None:
    pair = [hashed("a", FAR[0]), hashed("b", FAR[0] ^ ((1 << bits) - 1))]
    assert len(keep_best(pair, 6)[0]) == kept


def test_a_picture_and_a_cutout_of_it_are_no_duplicates() -> None:
    pair = [hashed("a", FAR[0]), hashed("b", FAR[0], role="background")]
    assert keep_best(pair, 6) == (pair, [])


def test_generated_objects_are_never_duplicates() -> None:
    twins = [hashed(n, FAR[0], origin="generated", cluster="") for n in "ab"]
    kept, dropped = keep_best(twins, 6)
    assert [a.cluster for a in kept] == ["a", "b"]
    assert dropped == []


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3)), min_size=1), st.randoms())
def test_keep_best_in_any_order(parts: list[tuple[int, int, int]], shuffler: random.Random) -> None:
    assets = [hashed(f"n{k}", FAR[c] ^ near, size, size) for k, (c, near, size) in enumerate(parts)]
    kept, dropped = keep_best(assets, 4)
    mixed = list(assets)
    shuffler.shuffle(mixed)
    again, _ = keep_best(mixed, 4)
    assert {a.id for a in again} == {a.id for a in kept}
    assert len(kept) + len(dropped) == len(assets)
    assert len(kept) == len({c for c, _, _ in parts})
    for loser, winner in dropped:
        assert (winner.width, winner.id) != (loser.width, loser.id)
        assert winner.width >= loser.width


def test_shares_and_minimums_by_kind() -> None:
    assets = table(real=40, generated=20, air=3, cut=2, backgrounds=10)
    dealt = Counter((kind(a), a.split) for a in assign(assets, make_manifest()))
    real, generated = ("foreground", "real", "ground"), ("foreground", "generated", "ground")
    back, air, cut = ("background", "real", "ground"), ("foreground", "real", "air"), ("foreground", "real", "cut")
    assert [dealt[real, s] for s in ("train", "val", "test")] == [36, 2, 2]
    assert [dealt[generated, s] for s in ("train", "val", "test")] == [16, 2, 2]
    assert [dealt[back, s] for s in ("train", "val", "test")] == [6, 2, 2]
    assert [dealt[air, s] for s in ("train", "val", "test")] == [1, 1, 1]
    assert [dealt[cut, s] for s in ("train", "val", "test")] == [2, 0, 0]
    assert dealt.total() == len(assets)


@given(
    st.integers(3, 60),
    st.tuples(st.integers(1, 98), st.integers(1, 98)).filter(lambda pair: sum(pair) < 100),
    st.integers(0, 1000),
)
def test_every_split_gets_some_of_every_kind(count: int, percent: tuple[int, int], seed: int) -> None:
    shares = {"val": percent[0] / 100, "test": percent[1] / 100, "train": 1 - sum(percent) / 100}
    manifest = make_manifest(splits=shares, seed=seed)
    counts = Counter(a.split for a in assign([make_asset(f"r{k}") for k in range(count)], manifest))
    least = 2 if count >= 10 else 1
    assert set(counts) == {"train", "val", "test"}
    assert counts.total() == count
    slack = 1 + 2 * least  # what the largest split gives for the minimums of the others and for rounding
    for split, n in counts.items():
        assert n >= least
        assert abs(n - shares[split] * count) <= slack


def test_a_cluster_stays_together() -> None:
    assets = [make_asset(f"r{k}", cluster=f"cluster{k // 5}") for k in range(60)]
    split_of: dict[str, set[str]] = {}
    for a in assign(assets, make_manifest()):
        split_of.setdefault(a.cluster, set()).add(a.split)
    assert all(len(splits) == 1 for splits in split_of.values())
    assert Counter(s for splits in split_of.values() for s in splits) == {"train": 8, "val": 2, "test": 2}


def test_assignment_is_by_name_not_by_place() -> None:
    assets = table()
    manifest = make_manifest()
    plain = {a.id: a.split for a in assign(assets, manifest)}
    for k in range(3):
        mixed = random.Random(k).sample(assets, len(assets))
        assigned = assign(mixed, manifest)
        assert [a.id for a in assigned] == [a.id for a in mixed]
        assert {a.id: a.split for a in assigned} == plain


def test_another_seed_deals_anew() -> None:
    assets = table()
    dealt = [tuple(a.split for a in assign(assets, make_manifest(seed=seed))) for seed in range(3)]
    assert len(set(dealt)) == 3


def test_a_split_of_share_0_gets_nothing() -> None:
    manifest = make_manifest(splits={"train": 1, "val": 0, "test": 0})
    assert {a.split for a in assign([make_asset("only")], manifest)} == {"train"}


@pytest.mark.parametrize(
    ("assets", "text"),
    [
        (
            [make_asset("a"), make_asset("b")],
            "only 2 distinct real foreground assets for 3 splits (train, val, test); "
            "add assets or set a split's share to 0",
        ),
        (
            [make_background("a")],
            "only 1 distinct real background assets for 3 splits (train, val, test); "
            "add assets or set a split's share to 0",
        ),
        (
            [make_asset(f"g{k}", origin="generated", cluster="one") for k in range(9)],
            "only 1 distinct generated foreground assets for 3 splits (train, val, test); "
            "add assets or set a split's share to 0",
        ),
    ],
)
def test_too_few(assets: list, text: str) -> None:
    with pytest.raises(AssetError) as caught:
        assign(assets, make_manifest())
    assert str(caught.value) == text


def test_few_in_the_air_or_cut_go_to_the_first_split() -> None:
    assets = [make_asset("a", support="air"), make_asset("c", cut="l")]
    assert [a.split for a in assign(assets, make_manifest())] == ["train", "train"]


def test_all_that_comes_from_a_photograph_stays_in_its_split() -> None:
    manifest = make_manifest()
    assets = table()
    for k in range(20):  # a background, two objects of it; two photographs share a cluster
        assets += [make_background(f"B{k}", photo=f"p{k}")]
        assets += [make_asset(f"m{k}-{j}", photo=f"p{k}", support="air" if j else "ground") for j in range(2)]
    assets += [make_asset("bridge", photo="p3", cluster="m4-0")]
    split = {a.id: a.split for a in assign(assets, manifest)}
    assert all(split[f"B{k}"] == split[f"m{k}-0"] == split[f"m{k}-1"] for k in range(20))
    assert split["m3-0"] == split["m4-0"] == split["bridge"]
    assert {split[f"B{k}"] for k in range(20)} > {"train"}
    counts = Counter(a.split for a in assign(assets, manifest) if a.role == "background")
    assert counts["train"] == pytest.approx(36, abs=2)


def test_what_other_kinds_have_dealt_counts() -> None:
    """Objects whose photographs are all dealt already are taken as they come; the free ones fill up the shares."""
    manifest = make_manifest(splits={"train": 0.5, "val": 0.25, "test": 0.25})
    backgrounds = [make_background(f"b{k:02}", photo=f"p{k}") for k in range(40)]
    objects = [make_asset(f"o{k:02}", photo=f"p{k}" if k < 20 else "") for k in range(40)]
    done = assign(backgrounds + objects, manifest)
    split = {a.id: a.split for a in done}
    assert all(split[f"b{k:02}"] == split[f"o{k:02}"] for k in range(20))
    assert Counter(a.split for a in done if a.role == "foreground") == {"train": 20, "val": 10, "test": 10}
