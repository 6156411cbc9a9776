"""From sources to the asset table: gates before anything is fetched, rejections counted, pools that suffice."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import pytest
from PIL import Image

import pipeline.offers
from pipeline.build import build
from pipeline.collect import collect
from pipeline.load import load_manifest
from pipeline.manifest import Manifest
from pipeline.run import Machine
from pipeline.sources import AssetError
from stages.settings import ManifestError
from tests.makers import Silent, write_small


class Counting(Silent):
    """A listener that adds up what it hears."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self._name = ""

    def stage(self, name: str, total: int) -> None:
        self._name = name
        self.totals[name] = total

    def advance(self, units: int, rejects: Counter[str]) -> None:
        self.done[self._name] += units
        self.rejects.update(rejects)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small.toml and its pictures. Not to be written to."""
    return write_small(tmp_path_factory.mktemp("small")).parent


@pytest.fixture(scope="module")
def small(base: Path) -> Manifest:
    return load_manifest(base / "small.toml")


@pytest.fixture
def own(base: Path, tmp_path: Path) -> Path:
    """A copy of the pictures that a test may change."""
    for name in ("cutouts", "photos"):
        shutil.copytree(base / name, tmp_path / "own" / name)
    return tmp_path / "own"


def run(manifest: Manifest, base: Path, cache: Path, to: Silent | None = None):
    return collect(manifest, base, cache, Machine(), to or Silent())


def changed(manifest: Manifest, **keys) -> Manifest:
    return Manifest.model_validate(manifest.model_dump() | keys)


def with_source(manifest: Manifest, place: int, **keys) -> Manifest:
    sources = [s.model_dump() for s in manifest.sources]
    sources[place] |= keys
    return changed(manifest, sources=sources)


def test_every_file_is_an_asset_or_dropped_and_the_listener_hears_it(base: Path, small: Manifest) -> None:
    heard = Counting()
    made = run(small, base, base / "cache", heard)
    assert heard.totals == {"fetch": 2, "prepare": 36}
    assert heard.done == Counter(heard.totals)
    assert heard.rejects == Counter(d.reason for d in made.dropped)
    ids = [a.id for a in made.assets] + [d.id for d in made.dropped]
    assert len(ids) == len(set(ids)) == 36
    assert {a.split for a in made.assets} == {"train", "val", "test"}
    assert run(small, base, base / "cache") == made


def test_order_of_assets_follows_sources_and_names(base: Path, small: Manifest) -> None:
    ids = [a.id for a in run(small, base, base / "cache").assets]
    assert ids == sorted(ids, key=lambda i: (not i.startswith("cutouts"), i))


def test_bad_files_are_counted_and_the_build_goes_on(own: Path, small: Manifest, tmp_path: Path) -> None:
    good = (own / "cutouts" / "pot-01.png").read_bytes()
    frames = [Image.fromarray(np.full((90, 90, 3), k * 40, np.uint8)) for k in range(3)]
    bad = {
        "animated": ("animated", None),
        "corrupt": ("corrupt", good[:900] + bytes(30) + good[930:]),
        "empty": ("empty", b""),
        "pixel": ("too_small", None),
        "text": ("unsupported_format", b"this is no picture"),
        "transparent": ("transparent", None),
        "truncated": ("truncated", good[: len(good) // 2]),
        "twin": ("near_duplicate", good),
    }
    frames[0].save(own / "cutouts" / "animated.png", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((1, 1, 4), 255, np.uint8)).save(own / "cutouts" / "pixel.png")
    Image.fromarray(np.zeros((90, 90, 4), np.uint8)).save(own / "cutouts" / "transparent.png")
    for name, (_, data) in bad.items():
        if data is not None:
            (own / "cutouts" / f"{name}.png").write_bytes(data)
    deep = np.random.default_rng(1).integers(0, 65535, (300, 300), dtype=np.uint16)
    Image.fromarray(deep).save(own / "photos" / "deep.png")
    out = tmp_path / "out"
    summary = build(small, own, out, tmp_path / "cache", Machine(), Silent())
    assert (summary.failed, summary.samples) == ([], 24)
    stored = orjson.loads((out / ".build" / "build.json").read_bytes())["rejected_assets"]
    reasons = {d["id"]: d["reason"] for d in stored}
    expected = {f"cutouts:{name}.png": reason for name, (reason, _) in bad.items()}
    assert {i: reasons.get(i) for i in expected} == expected
    assert next(d for d in stored if d["reason"] == "near_duplicate")["detail"] == "of cutouts:pot-01.png"
    assert "photos:deep.png" in {a.id for a in summary.collected.assets}


@pytest.mark.parametrize("place", [0, 1])
def test_a_licence_outside_the_list_stops_before_anything_is_fetched(
    place: int, base: Path, small: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.offers, "fetch", lambda *_: pytest.fail("fetched"))
    manifest = with_source(small, place, license="CC-BY-NC-4.0", rules=[])
    with pytest.raises(ManifestError) as caught:
        build(manifest, base, tmp_path / "out", tmp_path / "cache", Machine(), Silent())
    name = small.sources[place].name
    assert str(caught.value) == f"source '{name}': license 'CC-BY-NC-4.0' is not in licenses = [CC0-1.0]"
    assert list(tmp_path.iterdir()) == []


def test_files_under_another_licence_are_left_out(base: Path, small: Manifest) -> None:
    rules = [{"match": ["pot-*"], "license": "GPL-3.0-only"}, {"match": ["pot-01.png"], "license": "CC0-1.0"}]
    made = run(with_source(small, 0, rules=rules), base, base / "cache")
    pots = {p.name for p in (base / "cutouts").glob("pot-*.png")} - {"pot-01.png"}
    refused = [d for d in made.dropped if d.reason == "license_not_allowed"]
    assert {d.id for d in refused} == {f"cutouts:{name}" for name in pots}
    assert {d.detail for d in refused} == {"GPL-3.0-only"}
    assert "cutouts:pot-01.png" in {a.id for a in made.assets}


def test_a_source_may_be_allowed_for_some_files_only(base: Path, small: Manifest) -> None:
    rules = [{"match": ["pebble-*", "pot-*"], "license": "CC0-1.0"}]
    made = run(with_source(small, 0, license="CC-BY-NC-4.0", rules=rules), base, base / "cache")
    real = {a.id for a in made.assets if a.role == "foreground"}
    assert real
    assert not any("kite" in i for i in real)


def test_a_missing_folder(small: Manifest, tmp_path: Path) -> None:
    with pytest.raises(AssetError) as caught:
        run(small, tmp_path, tmp_path / "cache")
    assert str(caught.value) == (
        f"source 'cutouts': path = 'cutouts' does not exist (looked at {tmp_path / 'cutouts'})"
    )


def test_no_apt(base: Path, small: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssetError) as caught:
        run(with_source(small, 0, kind="apt", path="", package="tuxpaint-stamps-default"), base, tmp_path / "cache")
    assert str(caught.value) == (
        "source 'cutouts': kind 'apt' needs apt-get and dpkg-deb, and this machine does not have apt-get and dpkg-deb; "
        "use a 'local' or 'https' source for these files instead"
    )


def test_nothing_usable_says_why(own: Path, small: Manifest, tmp_path: Path) -> None:
    manifest = changed(small, quality={"min_long_side": 5000})
    with pytest.raises(AssetError) as caught:
        run(manifest, own, tmp_path / "cache")
    assert str(caught.value) == (
        "no usable real foreground asset that stands whole on the ground (objects.real_fraction = 1); "
        "rejected: 24 too_small"
    )


def test_no_background(base: Path, small: Manifest, tmp_path: Path) -> None:
    manifest = changed(small, sources=[small.sources[0].model_dump()])
    with pytest.raises(AssetError, match=r"^no usable background asset \(objects\.real_fraction = 1\); rejected: "):
        run(manifest, base, base / "cache")


def test_generated_foregrounds_asked_but_not_offered(base: Path, small: Manifest) -> None:
    manifest = changed(small, objects={"real_fraction": 0.5})
    with pytest.raises(AssetError, match=r"^no usable generated foreground asset that stands whole on the ground \("):
        run(manifest, base, base / "cache")


def test_a_split_without_what_stands(base: Path, small: Manifest) -> None:
    """Three pots are one a split, and two for none."""
    air = [{"match": ["pot-0[147].png"], "support": "ground"}, {"match": ["kite-*", "pebble-*"], "support": "air"}]
    few = with_source(small, 0, include=["pot-0[147].png"], rules=air)
    with pytest.raises(AssetError) as caught:
        run(few, base, base / "cache")
    assert str(caught.value) == (
        "split 'train' has no second whole foreground to stand beside the target: there are too few for 3 splits; "
        "add assets or set a split's share to 0"
    )
    alone = changed(few, objects={"counts": {"1": 1}, "real_fraction": 1.0}, occlusion={"fraction": 0.0})
    assert Counter(a.split for a in run(alone, base, base / "cache").assets if a.role == "foreground") == {
        "train": 1,
        "val": 1,
        "test": 1,
    }


def test_a_split_without_foregrounds(base: Path, small: Manifest) -> None:
    flying = with_source(small, 0, include=["kite-0*"], rules=[{"match": ["*"], "support": "air"}])
    flying = changed(flying, shadow={"fraction": 0.0}, quality={"min_long_side": 64})
    two = with_source(flying, 0, include=sorted(p.name for p in (base / "cutouts").glob("kite-*.png"))[:2])
    with pytest.raises(AssetError) as caught:
        run(two, base, base / "cache")
    assert str(caught.value).startswith("split 'val' has no real foreground and no second whole foreground")


def test_an_unreadable_file_names_its_source(own: Path, small: Manifest, tmp_path: Path, monkeypatch) -> None:
    def gone(source, cache, base):
        files = fetch(source, cache, base)
        files[0].path.unlink(missing_ok=True)
        return files

    fetch = pipeline.offers.fetch
    monkeypatch.setattr(pipeline.offers, "fetch", gone)
    with pytest.raises(AssetError, match=r"^source 'cutouts': \[Errno 2\] No such file or directory: .*\.png'$"):
        run(small, own, tmp_path / "cache")
