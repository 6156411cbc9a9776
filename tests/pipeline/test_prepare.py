"""Preparing: files become measured, content-addressed assets once, or are rejected with their reason."""

import hashlib
import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import pipeline.measure
import pipeline.prepare
from pipeline.assets import Asset, Store, read_table, write_table
from pipeline.describe import facts_of
from pipeline.manifest import QualityKnobs
from pipeline.prepare import Dropped, Task, prepare
from pipeline.source import Rule, Source
from pipeline.sources import FetchedFile
from tests.assets import cutout, photo

Make = Callable[..., Task]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write named files and make a task of them; other keywords go to the source or the task."""

    def of(files: dict[str, bytes], canvas: int = 128, quality: QualityKnobs | None = None, **source) -> Task:
        plain = {"name": "stuff", "kind": "local", "role": "foreground", "path": "x", "license": "MIT"}
        folder = tmp_path / "in"
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        given = Source.model_validate(plain | {"attribution": "nobody"} | source)
        found = tuple(FetchedFile(folder / n, n, f"file:{n}") for n in files if not n.endswith(".txt"))
        return Task(given, found, (), quality or QualityKnobs(min_long_side=64), canvas, tmp_path / "cache")

    return of


def png(pixels: np.ndarray, **options) -> bytes:
    return encoded(Image.fromarray(pixels), "PNG", **options)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def one(task: Task) -> Asset:
    (asset,) = prepare(task)
    assert isinstance(asset, Asset), asset
    return asset


def dropped(task: Task) -> Dropped:
    (found,) = prepare(task)
    assert isinstance(found, Dropped), found
    return found


def noise(h: int, w: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng([h, w]).integers(20, 230, (h, w, channels), dtype=np.uint8)


def block(h: int, w: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """An opaque textured rectangle in a transparent picture of h x w."""
    rgba = np.zeros((h, w, 4), np.uint8)
    rgba[top:bottom, left:right, :3] = noise(bottom - top, right - left)
    rgba[top:bottom, left:right, 3] = 255
    return rgba


def test_a_cutout_becomes_a_row_and_a_file(make: Make, tmp_path: Path) -> None:
    rgba = block(150, 140, 20, 30, 120, 110)
    a = one(make({"sub/a_red-thing.png": png(rgba)}, support="air", long_side_m=0.5))
    assert (a.id, a.source, a.uri) == ("stuff:sub/a_red-thing.png", "stuff", "file:sub/a_red-thing.png")
    assert (a.caption, a.role, a.origin, a.support, a.long_side_m) == ("a red thing", "foreground", "real", "air", 0.5)
    assert (a.license, a.attribution, a.whole, a.cut, a.horizon) == ("MIT", "nobody", True, "", None)
    assert (a.width, a.height, a.area_px, a.coverage, a.main_component) == (80, 100, 8000.0, 1.0, 1.0)
    assert (a.cluster, a.split) == ("", "")
    path = Store(tmp_path / "cache" / "objects").path(a.sha256)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == a.sha256
    np.testing.assert_array_equal(np.array(Image.open(path)), rgba[20:120, 30:110])


def test_a_second_time_nothing_is_decoded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"a.png": png(cutout(0)), "b.png": png(cutout(1)), "bad.png": b"no picture"}
    first = prepare(make(files))
    assert [type(x) for x in first] == [Asset, Asset, Dropped]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(pipeline.measure, "decode_image", refuse)
    assert prepare(make(files)) == first
    with pytest.raises(AssertionError, match="decoded again"):
        prepare(make({"new.png": png(cutout(3))}))
    with pytest.raises(AssertionError, match="decoded again"):
        prepare(make(files, canvas=64))


def test_content_not_name_decides(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = one(make({"a.png": png(cutout(0))}))
    monkeypatch.setattr(pipeline.measure, "decode_image", lambda *_, **__: 1 / 0)
    second = one(make({"dir/b.png": png(cutout(0))}))
    assert (first.sha256, first.phash) == (second.sha256, second.phash)
    assert (second.id, second.caption) == ("stuff:dir/b.png", "b")


def test_the_same_pixels_in_another_file_are_the_same_object(make: Make) -> None:
    a, b = prepare(make({"a.png": png(cutout(0)), "b.png": png(cutout(0), compress_level=0)}))
    assert a.sha256 == b.sha256


def test_a_lost_object_is_made_again(make: Make, tmp_path: Path) -> None:
    task = make({"a.png": png(cutout(0))})
    path = Store(tmp_path / "cache" / "objects").path(one(task).sha256)
    before = path.read_bytes()
    path.unlink()
    assert one(task).sha256 == path.stem
    assert path.read_bytes() == before


@pytest.mark.parametrize("knob", [{"min_coverage": 0.9}, {"min_long_side": 500}])
def test_other_knobs_judge_what_is_cached_anew(knob: dict, make: Make) -> None:
    files = {"a.png": png(cutout(1))}
    one(make(files))
    dropped(make(files, quality=QualityKnobs.model_validate({"min_long_side": 64} | knob)))
    one(make(files))


def test_large_pictures_are_shrunk_and_small_ones_never_enlarged(make: Make) -> None:
    big, small = block(900, 700, 50, 50, 850, 450), block(90, 70, 5, 5, 85, 45)
    shrunk, kept = prepare(make({"big.png": png(big), "small.png": png(small)}, canvas=128))
    assert max(shrunk.width, shrunk.height) == pytest.approx(128, abs=1)
    assert shrunk.area_px == pytest.approx(320_000 * (128 / 800) ** 2, rel=0.02)
    assert (kept.width, kept.height) == (40, 80)
    wide, narrow = prepare(
        make({"w.png": png(noise(600, 900)), "n.png": png(noise(240, 180))}, canvas=128, role="background")
    )
    assert (wide.width, wide.height) == (288, 192)
    assert (narrow.width, narrow.height) == (180, 240)


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((20, 20, 120, 120), ""),
        ((20, 0, 120, 120), "l"),
        ((0, 20, 120, 120), "t"),
        ((20, 20, 120, 140), "r"),
        ((20, 20, 150, 120), "b"),
        ((20, 0, 150, 120), "lb"),
        ((0, 0, 40, 100), "t"),  # 40 of 150 rows is under the share that counts
    ],
)
def test_sides_cut_by_the_photograph(box: tuple[int, int, int, int], cut: str, make: Make) -> None:
    a = one(make({"a.png": png(block(150, 140, *box))}))
    assert (a.cut, a.whole) == (cut, not cut)


@pytest.mark.parametrize("box", [(20, 0, 120, 140), (0, 20, 150, 120)])
def test_cut_on_opposite_sides_is_rejected(box: tuple[int, int, int, int], make: Make) -> None:
    assert dropped(make({"a.png": png(block(150, 140, *box))})).reason == "cut_on_opposite_sides"


def test_rules_know_better() -> None:
    rules = (
        Rule(match=("**",), support="air", caption="thing"),
        Rule(match=("dogs/*",), caption="dog"),
        Rule(match=("*/rex.png", "none"), license="CC0-1.0", attribution="rex"),
    )
    assert facts_of(rules, "cat.png") == {"support": "air", "caption": "thing"}
    assert facts_of(rules, "dogs/pip.png") == {"support": "air", "caption": "dog"}
    rex = {"support": "air", "caption": "dog", "license": "CC0-1.0", "attribution": "rex"}
    assert facts_of(rules, "dogs/rex.png") == rex
    assert facts_of((), "dogs/rex.png") == {}


def test_rules_override_what_was_measured(make: Make) -> None:
    files = {"a.png": png(block(150, 140, 20, 0, 120, 120)), "a.txt": b"From the file."}
    plain = one(make(files))
    assert (plain.cut, plain.whole, plain.caption) == ("l", False, "From the file")
    told = {"match": ["*"], "whole": True, "caption": "told", "support": "air", "license": "MIT", "attribution": "it"}
    ruled = one(make(files, rules=[told]))
    assert (ruled.cut, ruled.whole, ruled.caption, ruled.support) == ("", True, "told", "air")
    assert (ruled.license, ruled.attribution) == ("MIT", "it")
    assert ruled.sha256 == plain.sha256


def test_a_rule_can_say_that_an_object_is_not_whole(make: Make) -> None:
    a = one(make({"a.png": png(block(150, 140, 20, 20, 120, 120))}, rules=[{"match": ["*"], "whole": False}]))
    assert (a.cut, a.whole) == ("", False)


def test_the_last_matching_length_counts(make: Make) -> None:
    lengths = {"**": 2.0, "b*": 0.1, "bb.png": 0.3}
    files = {f"{n}.png": png(cutout(k)) for k, n in enumerate(("a", "b", "bb"))}
    made = prepare(make(files, long_side_m=9.0, long_sides_m=lengths))
    assert [a.long_side_m for a in made] == [2.0, 0.1, 0.3]
    only = prepare(make(files, long_side_m=9.0, long_sides_m={"b*": 0.1}))
    assert [a.long_side_m for a in only] == [9.0, 0.1, 0.1]


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        (b"A red pot.\nby somebody\n", "A red pot"),
        (b"\n  Two words  \n", "Two words"),
        ("Ein K\u00e4fer".encode(), "Ein K\u00e4fer"),
        (b"A caf\xe9.", "A caf\ufffd"),
        (b"  \n\n", "red pot 3"),
        (None, "red pot 3"),
    ],
)
def test_captions(text: bytes | None, caption: str, make: Make) -> None:
    files = {"red_pot--3.png": png(cutout(0))} | ({"red_pot--3.txt": text} if text is not None else {})
    assert one(make(files)).caption == caption


@pytest.mark.parametrize(
    ("horizon", "support"), [(None, "ground"), (0.4, "ground"), (0.8, "ground"), (0.81, "air"), (-1.0, "ground")]
)
def test_a_background_without_ground_carries_what_flies(horizon: float | None, support: str, make: Make) -> None:
    rules = [{"match": ["*"], "horizon": horizon, "min_object_m": 0.2, "max_object_m": 3}]
    a = one(make({"p.png": png(photo(0))}, role="background", rules=rules))
    assert (a.horizon, a.support, a.cut, a.area_px) == (horizon, support, "", float(a.width * a.height))
    assert (a.min_object_m, a.max_object_m) == (0.2, 3.0)


def gif() -> bytes:
    frames = [Image.fromarray(noise(90 + k, 90)[:90]) for k in range(3)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    )


def bad_checksum() -> bytes:
    data = bytearray(png(cutout(0)))
    data[len(data) // 2] ^= 1
    return bytes(data)


def holes() -> np.ndarray:
    rgba = block(120, 120, 10, 10, 110, 110)
    rgba[55:65] = rgba[:, 55:65] = 0
    return rgba


def soft() -> np.ndarray:
    rgba = block(120, 120, 10, 10, 110, 110)
    rgba[10:110, 10:110, 3] = 140
    return rgba


def flat() -> np.ndarray:
    rgba = block(120, 120, 10, 10, 110, 110)
    rgba[10:110, 10:110, :3] = (200, 30, 30)
    return rgba


def cross() -> np.ndarray:
    rgba = np.zeros((120, 120, 4), np.uint8)
    rgba[:, 59:61, :3], rgba[59:61, :, :3] = noise(120, 2), noise(2, 120)
    rgba[10:110, 59:61, 3] = rgba[59:61, 10:110, 3] = 255
    return rgba


BAD_FOREGROUNDS = {
    "empty": (b"", "empty", "the file is empty (0 bytes)"),
    "text": (b"hello, world", "unsupported_format", "the file starts with b'hello, w'"),
    "truncated": (png(cutout(0))[:-2000], "truncated", "truncated"),
    "checksum": (bad_checksum(), "corrupt", "corrupt"),
    "header": (png(cutout(0))[:20], "truncated", "truncated"),
    "no-header": (png(cutout(0))[:12] + bytes(50), "corrupt", "the image header is damaged or cut off"),
    "animated": (gif(), "animated", "GIF holds more than 1 frame, must be 1"),
    "bomb": (bomb(), "too_many_pixels", "400000000 pixels, must be at most 100000000"),
    "one-pixel": (png(np.full((1, 1, 4), 255, np.uint8)), "too_small", "1"),
    "transparent": (png(np.zeros((90, 90, 4), np.uint8)), "transparent", "alpha is 0 everywhere"),
    "small": (png(block(60, 60, 5, 5, 50, 50)), "too_small", "long side 45 px, at least 64 px"),
    "opaque": (png(noise(90, 90)), "cut_on_opposite_sides", "cut at ltrb"),
    "thin": (png(cross()), "thin_coverage", "share of its box 0.0396, at least 0.05"),
    "soft": (png(soft()), "too_soft", "semi-transparent share 1, at most 0.6"),
    "fragmented": (png(holes()), "fragmented", "main part 0.25, at least 0.7"),
    "flat": (png(flat()), "drawing", "1 of neighbours equal and 1 in 8 colours, at most 0.2 and 0.15"),
}
BAD_BACKGROUNDS = {
    "small": (png(noise(102, 300)), "too_small", "short side 102 px, at least 103"),
    "transparent": (png(cutout(0)), "has_alpha", ""),
    "truncated": (encoded(Image.fromarray(photo(0)), "JPEG")[:-3000], "truncated", "truncated"),
}


@pytest.mark.parametrize("case", BAD_FOREGROUNDS)
def test_foregrounds_rejected(case: str, make: Make, tmp_path: Path) -> None:
    data, reason, detail = BAD_FOREGROUNDS[case]
    for _ in ("measured", "cached"):
        found = dropped(make({f"{case}.png": data}))
        assert (found.id, found.reason) == (f"stuff:{case}.png", reason)
        assert detail in found.detail


@pytest.mark.parametrize("case", BAD_BACKGROUNDS)
def test_backgrounds_rejected(case: str, make: Make) -> None:
    data, reason, detail = BAD_BACKGROUNDS[case]
    found = dropped(make({f"{case}.png": data}, role="background"))
    assert (found.reason, detail in found.detail) == (reason, True)


def test_a_rejection_from_the_cache_does_not_name_another_file(make: Make) -> None:
    first, second = prepare(make({"a.png": b"hello, world", "b.png": b"hello, world"}))
    assert (first.id, second.id) == ("stuff:a.png", "stuff:b.png")
    assert first.detail == second.detail
    assert "a.png" not in first.detail


def test_one_bad_file_does_not_cost_the_others(make: Make) -> None:
    files = {"a.png": png(cutout(0)), "b.png": b"", "c.png": png(cutout(1))}
    assert [type(x) for x in prepare(make(files))] == [Asset, Dropped, Asset]


def test_odd_but_good_files_are_used(make: Make, tmp_path: Path) -> None:
    rgba = block(120, 120, 10, 10, 110, 110)
    palette = Image.fromarray(rgba).quantize(256)
    deep = sixteen_bit(rgba)
    made = prepare(make({"palette.png": encoded(palette, "PNG"), "deep.png": deep, "webp.webp": webp(rgba)}))
    assert [type(a) for a in made] == [Asset] * 3
    assert {(a.width, a.height, a.cut) for a in made} == {(100, 100, "")}
    store = Store(tmp_path / "cache" / "objects")
    np.testing.assert_array_equal(store.pixels(made[1].sha256), rgba[10:110, 10:110])
    np.testing.assert_array_equal(store.pixels(made[2].sha256), rgba[10:110, 10:110])


def webp(rgba: np.ndarray) -> bytes:
    return encoded(Image.fromarray(rgba), "WEBP", lossless=True, exact=True)


def sixteen_bit(rgba: np.ndarray) -> bytes:
    """An RGBA PNG of 16 bits a channel; v / 255 = 257 v / 65535."""
    h, w = rgba.shape[:2]
    rows = (rgba.astype(np.uint16) * 257).astype(">u2").reshape(h, -1).view(np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", w, h, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_photographs_are_turned_upright_and_cmyk_is_converted(make: Make) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    turned = encoded(Image.fromarray(photo(0)), "JPEG", exif=exif)
    cmyk = encoded(Image.fromarray(photo(2)).convert("CMYK"), "JPEG")
    a, b = prepare(make({"turned.jpg": turned, "cmyk.jpg": cmyk}, canvas=96, role="background"))
    h, w = photo(0).shape[:2]
    assert a.width / a.height == pytest.approx(h / w, rel=0.02)
    assert b.width / b.height == pytest.approx(photo(2).shape[1] / photo(2).shape[0], rel=0.02)


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """A stand-in for the procedural generator; the list says how it was called."""
    calls: list[tuple[int, int, int]] = []

    def procedural(seed: int, index: int, size: int) -> SimpleNamespace:
        calls.append((seed, index, size))
        rgba = np.zeros((size, size, 4), np.uint8)
        rgba[8:-8, 8:-8] = cutout(index)[10 : size - 6, 10 : size - 6]
        rgba[8:-8, 8:-8, 3] = 255
        return SimpleNamespace(rgba=rgba, caption=f"thing {index}", light=(0.5, 0.5, 0.7))

    monkeypatch.setitem(sys.modules, "stages.generate", SimpleNamespace(procedural=procedural))
    return calls


def test_generated_assets(make: Make, generator: list) -> None:
    given = make({}, kind="procedural", path="", count=2, size=96, seed=5, long_side_m=0.4)
    task = given._replace(indices=(3, 7))
    made = prepare(task)
    assert generator == [(5, 3, 96), (5, 7, 96)]
    assert [(a.id, a.caption, a.uri) for a in made] == [
        ("stuff:000003", "thing 3", "procedural:5/3"),
        ("stuff:000007", "thing 7", "procedural:5/7"),
    ]
    assert {(a.origin, a.whole, a.cut, a.light_x, a.long_side_m) for a in made} == {("generated", True, "", 0.5, 0.4)}
    assert prepare(task) == made
    assert len(generator) == 2
    prepare(given._replace(indices=(3,), source=given.source.model_copy(update={"seed": 6})))
    prepare(given._replace(indices=(3,), canvas=64))
    assert generator[2:] == [(6, 3, 96), (5, 3, 96)]


def test_generated_assets_are_made_again_with_other_libraries(
    make: Make, generator: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make({}, kind="procedural", path="", count=1, size=96)._replace(indices=(0,))
    prepare(task)
    monkeypatch.setattr(pipeline.prepare, "library_versions", lambda: {"numba": "0"})
    prepare(task)
    assert len(generator) == 2


def test_the_table_keeps_every_field(make: Make, tmp_path: Path) -> None:
    files = {f"{k}.png": png(cutout(k)) for k in range(6)}
    assets = [a.model_copy(update={"horizon": 0.25}) if k == 2 else a for k, a in enumerate(prepare(make(files)))]
    write_table(tmp_path / "assets.parquet", assets)
    assert read_table(tmp_path / "assets.parquet") == assets
    first = (tmp_path / "assets.parquet").read_bytes()
    write_table(tmp_path / "assets.parquet", assets)
    assert (tmp_path / "assets.parquet").read_bytes() == first
