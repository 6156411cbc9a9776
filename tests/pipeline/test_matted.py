"""Sources that need models: photographs are cut out by a real network, objects drawn by a real pipeline, both tiny."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.assets import Asset, Store
from pipeline.build import build
from pipeline.collect import gather
from pipeline.load import load_manifest
from pipeline.manifest import Manifest
from pipeline.run import Machine
from pipeline.sources import AssetError
from stages.settings import ManifestError
from tests.assets import photo
from tests.makers import Silent
from tests.tiny_networks import red_thing, save_red_finder

BOXES = {  # where the red thing is in a picture of 150 x 200: whole, cut at the bottom, cut left and right
    "whole": (30, 50, 120, 150),
    "cut": (80, 60, 190, 160),
    "through": (40, -20, 110, 220),
}
HEAD = """
name = "matted"
seed = 3
size = 96
samples = 6
shard_size = 3
licenses = ["CC0-1.0"]
splits = { train = 1.0, val = 0.0, test = 0.0 }
objects = { real_fraction = 1.0, counts = { 1 = 0.4, 2 = 0.6 } }
quality = { min_long_side = 40 }
matte = { model = "red.onnx" }
"""
SOURCE = """
[[sources]]
name = "{name}"
kind = "local"
role = "{role}"
path = "{path}"
license = "CC0-1.0"
attribution = "nobody"
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with and without a red thing, backgrounds, and the network that finds red things."""
    folder = tmp_path_factory.mktemp("matted")
    save_red_finder(folder / "red.onnx")
    pictures = {f"things/{name}.png": red_thing(150, 200, box, k) for k, (name, box) in enumerate(BOXES.items())}
    pictures |= {f"things/more-{k}.png": red_thing(150, 200, (20 + k, 30, 130, 150 + k), 9 + k) for k in range(3)}
    pictures["things/nothing.png"] = red_thing(150, 200, (0, 0, 1, 1))
    pictures |= {f"places/{k}.png": photo(k) for k in range(6)}
    for name, pixels in pictures.items():
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    (folder / "things" / "broken.png").write_bytes((folder / "things" / "whole.png").read_bytes()[:2000])
    return folder


@pytest.fixture
def manifest(base: Path) -> Callable[..., Manifest]:
    def of(extra: str = "", head: str = HEAD) -> Manifest:
        path = base / "manifest.toml"
        things = SOURCE.format(name="things", role="photograph", path="things")
        path.write_text(head + things + SOURCE.format(name="places", role="background", path="places") + extra)
        return load_manifest(path)

    return of


def prepared(manifest: Manifest, base: Path) -> tuple[dict[str, Asset], dict[str, str]]:
    kept, dropped = gather(manifest, base, base / "cache", Machine(), Silent())
    return {a.id: a for a in kept}, {d.id: d.reason for d in dropped}


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("loaded")


def test_photographs_become_cutouts(base: Path, manifest: Callable[..., Manifest]) -> None:
    kept, dropped = prepared(manifest(), base)
    assert dropped == {
        "things:broken.png": "truncated",
        "things:nothing.png": "no_object",
        "things:through.png": "cut_on_opposite_sides",
    }
    whole, cut = kept["things:whole.png"], kept["things:cut.png"]
    assert (whole.role, whole.origin, whole.alpha_from) == ("foreground", "real", "matte")
    assert (whole.whole, whole.cut, cut.whole, cut.cut) == (True, "", False, "b")
    assert (whole.caption, whole.caption_from) == ("whole", "name")
    assert max(whole.width, whole.height) <= 96
    assert whole.width / whole.height == pytest.approx(100 / 90, rel=0.06)
    rgba = Store(base / "cache" / "objects").pixels(whole.sha256)
    assert rgba.shape == (whole.height, whole.width, 4)
    soft = (rgba[..., 3] > 12) & (rgba[..., 3] < 243)
    assert soft.any()
    # The grey ground is gone from the edge too: green and blue stay well under red.
    assert (rgba[soft][:, 0].astype(int) - rgba[soft][:, 1]).mean() > 120
    assert not rgba[rgba[..., 3] == 0].any()


def test_a_photograph_and_what_was_cut_out_of_it_share_a_split(base: Path, manifest: Callable[..., Manifest]) -> None:
    kept, _ = prepared(manifest(SOURCE.format(name="whole-things", role="background", path="things")), base)
    assert kept["whole-things:whole.png"].photo == kept["things:whole.png"].photo != ""
    assert len({a.photo for a in kept.values() if a.source == "things"}) == 5


def test_what_is_cached_needs_no_network(
    base: Path, manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepared(manifest(), base)
    monkeypatch.setattr("pipeline.tools.OnnxMatter", refuse)
    assert prepared(manifest(), base) == before
    with pytest.raises(AssetError, match=r"^source 'things': AssertionError: loaded$"):
        prepared(manifest(head=HEAD.replace('"red.onnx"', '"red.onnx", foreground = "none"')), base)


def test_another_network_makes_other_assets(base: Path, manifest: Callable[..., Manifest]) -> None:
    other = save_red_finder(base / "small.onnx", side=24)
    kept, _ = prepared(manifest(), base)
    again, _ = prepared(manifest(head=HEAD.replace("red.onnx", other.name)), base)
    assert kept["things:whole.png"].sha256 != again["things:whole.png"].sha256
    assert kept["places:0.png"] == again["places:0.png"]


def test_a_build_with_matted_photographs(base: Path, manifest: Callable[..., Manifest], tmp_path: Path) -> None:
    """On two workers of Ray, the same bytes as serially."""
    outs = []
    for workers in (0, 2):
        out, cache = tmp_path / f"out-{workers}", tmp_path / f"cache-{workers}"
        summary = build(manifest(), base, out, cache, Machine(workers), Silent())
        assert summary.failed == []
        outs.append({p.name: p.read_bytes() for p in sorted((out / "data").glob("*.tar"))})
    assert len(outs[0]) == 2
    assert outs[0] == outs[1]


def test_a_network_that_is_not_there(base: Path, manifest: Callable[..., Manifest]) -> None:
    with pytest.raises(AssetError, match=rf"^matte.model: there is no file {base / 'no.onnx'}$"):
        prepared(manifest(head=HEAD.replace("red.onnx", "no.onnx")), base)


# --- drawn from text ----------------------------------------------------------------------------------------

DRAWN = """
[[sources]]
name = "drawn"
kind = "diffusers"
role = "foreground"
license = "CC0-1.0"
attribution = "a tiny model"
count = 5
size = 64
seed = 4
diffusion = { model = "MODEL", steps = 2, batch = 2, prompts = ["a {colour} cup"], words.colour = ["red", "blue"] }
"""


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion pipeline on disk."""
    pytest.importorskip("diffusers")
    from tests.tiny_models import save_stable_diffusion

    return save_stable_diffusion(tmp_path_factory.mktemp("painter"))


def drawing(red: bool) -> np.ndarray:
    return red_thing(64, 64, (12, 14, 50, 52) if red else (-10, 14, 40, 52), 5)


def test_random_weights_draw_nothing_whole_and_it_is_counted(
    base: Path, painter: Path, manifest: Callable[..., Manifest]
) -> None:
    drawn = manifest(DRAWN.replace("MODEL", str(painter)))
    _, dropped = prepared(drawn, base)
    reasons = [reason for i, reason in dropped.items() if i.startswith("drawn:")]
    assert len(reasons) == 5
    assert set(reasons) <= {"empty", "fills_frame", "fragments", "touches_edge", "clipped"}


def test_drawn_objects_are_cut_out_and_kept_if_whole(
    base: Path, painter: Path, manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline really draws; what it drew is exchanged for a red thing, whole or cut, as its prompt says."""
    from stages.diffuse import TextToImage

    asked: list[tuple[str, int]] = []
    draw = TextToImage.draw

    def exchanged(self: TextToImage, prompts: list[str], seeds: list[int], **more: object) -> list[np.ndarray]:
        asked.extend(zip(prompts, seeds, strict=True))
        assert [np.shape(p) for p in draw(self, prompts, seeds, **more)] == [(64, 64, 3)] * len(prompts)
        return [drawing("red" in prompt) for prompt in prompts]

    monkeypatch.setattr(TextToImage, "draw", exchanged)
    drawn = manifest(DRAWN.replace("MODEL", str(painter)).replace("seed = 4", "seed = 5"))
    kept, dropped = prepared(drawn, base)
    made = {i: a for i, a in kept.items() if i.startswith("drawn:")}
    refused = {i: reason for i, reason in dropped.items() if i.startswith("drawn:")}
    assert len(asked) == len({seed for _, seed in asked}) == 5
    assert all(", isolated on a plain" in prompt for prompt, _ in asked)
    assert len(made) + len(refused) == 5
    assert set(refused.values()) == {"touches_edge"} | ({"near_duplicate"} & set(refused.values()))
    for asset in made.values():
        assert (asset.origin, asset.alpha_from, asset.whole, asset.cut) == ("generated", "matte", True, "")
        assert (asset.caption, asset.caption_from) == ("a red cup", "source")
    assert made
    asked.clear()
    assert prepared(drawn, base) == (kept, dropped)
    assert asked == []


def test_a_changed_model_of_the_same_name_draws_anew(
    base: Path, painter: Path, manifest: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(painter, tmp_path / "own")
    drawn = manifest(DRAWN.replace("MODEL", str(own)))
    first = prepared(drawn, base)
    monkeypatch.setattr("pipeline.tools.TextToImage", refuse)
    assert prepared(drawn, base) == first
    (own / "note.txt").write_text("trained some more")
    with pytest.raises(AssetError, match=r"^source 'drawn': AssertionError: loaded$"):
        prepared(drawn, base)


def test_prompts_that_make_no_sense_stop_before_anything_is_fetched(
    base: Path, manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.offers.fetch", refuse)
    wrong = manifest(DRAWN.replace("{colour} cup", "{color} cup"))
    with pytest.raises(ManifestError, match=r"^source 'drawn': .*\{color\}.*did you mean 'colour'"):
        prepared(wrong, base)


# --- captions -----------------------------------------------------------------------------------------------


def test_a_captioner_speaks_for_assets_of_which_only_a_name_is_known(
    base: Path, manifest: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from stages.caption import TransformersCaptioner
    from tests.tiny_models import save_blip

    model = save_blip(tmp_path / "blip")
    (base / "things" / "cut.txt").write_text("A red thing.\n")
    head = HEAD + f'captioner = {{ model = "{model}" }}\n'
    kept, _ = prepared(manifest(head=head), base)
    assert (kept["things:cut.png"].caption, kept["things:cut.png"].caption_from) == ("A red thing", "source")
    whole = kept["things:whole.png"]
    said = TransformersCaptioner(str(model)).caption(Store(base / "cache" / "objects").pixels(whole.sha256))
    assert (whole.caption, whole.caption_from) == ((said, "model") if said else ("whole", "name"))
    monkeypatch.setattr("pipeline.tools.TransformersCaptioner", refuse)
    assert prepared(manifest(head=head), base)[0] == kept
    (base / "things" / "cut.txt").unlink()


def test_a_captioner_that_is_not_there(base: Path, manifest: Callable[..., Manifest], tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(AssetError, match=r"^captioner: no image-to-text model can be loaded from"):
        prepared(manifest(head=HEAD + f'captioner = {{ model = "{tmp_path}" }}\n'), base)
