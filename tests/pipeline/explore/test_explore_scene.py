"""A scene in headless Chromium: exact recomposition, switches, dragging, taken apart; what it was made from."""

import base64
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.explore import explore

Rows = list[dict[str, Any]]
Visit = Callable[..., Any]
WHOLE = (6, 19, 32, 44, 57)  # the samples whose layers are stored whole


@pytest.fixture
def open_scene(visit: Visit, explored: Path, rows: Rows) -> Callable[..., Any]:
    def open_scene(k: int, **how: Any) -> Any:
        page = visit(explored / "explore.html", f"#scene={rows[k]['key']}", **how)
        return ready(page, rows[k]["key"])

    return open_scene


def ready(page: Any, key: str) -> Any:
    page.wait_for_selector(f"#scene[data-shown={key}]")
    return page


def canvas(page: Any, where: str = "#picture") -> np.ndarray:
    """Pixels of a canvas, (h, w, 4), from a copy made for reading; where alpha is below 255 colours are rounded."""
    read = """(e) => {
        const copy = make("canvas", { width: e.width, height: e.height });
        copy.getContext("2d", { willReadFrequently: true }).drawImage(e, 0, 0);
        return copy.toDataURL("image/png").split(",")[1];
    }"""
    data = base64.b64decode(page.locator(where).evaluate(read))
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def members(out: Path, row: dict[str, Any]) -> dict[str, np.ndarray]:
    names = ("composite", "background", "foreground", "shadow", "occluder", "mask")
    with tarfile.open(out / "data" / row["shard"]) as tar:
        read = {name: tar.extractfile(f"{row['key']}.{name}.png").read() for name in names}
    return {name: np.asarray(Image.open(io.BytesIO(data))).astype(np.int64) for name, data in read.items()}


def moved(layer: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """The layer `dx`, `dy` pixels to the right and down; what leaves the canvas is lost."""
    out = np.zeros_like(layer)
    height, width = layer.shape[:2]
    ys, xs = np.nonzero(np.ones((height, width), bool))
    inside = (ys + dy >= 0) & (ys + dy < height) & (xs + dx >= 0) & (xs + dx < width)
    out[ys[inside] + dy, xs[inside] + dx] = layer[ys[inside], xs[inside]]
    return out


def composed(m: dict[str, np.ndarray], dx: int = 0, dy: int = 0, without: tuple[str, ...] = ()) -> np.ndarray:
    """The design's formula in whole numbers over 255^4, rounded to nearest."""
    zero = {name: 0 if name in without else 1 for name in ("foreground", "shadow", "occluder")}
    fg, sh, oc = moved(m["foreground"], dx, dy), moved(m["shadow"], dx, dy)[..., None], m["occluder"]
    fa, oa, sh = fg[..., 3:] * zero["foreground"], oc[..., 3:] * zero["occluder"], sh * zero["shadow"]
    behind = 255**2 * m["background"] - sh * (255 * m["background"] - oa * oc[..., :3])  # over 255^2
    total = (255 - fa) * behind + fa * 255 * (oa * oc[..., :3] + (255 - oa) * fg[..., :3])  # over 255^3
    return (2 * total + 255**3) // (2 * 255**3)


@pytest.mark.parametrize("k", WHOLE)
def test_the_canvas_is_the_composite_to_the_bit(open_scene: Callable, explored: Path, rows: Rows, k: int) -> None:
    page = open_scene(k)
    pixels = canvas(page)
    assert np.array_equal(pixels[..., :3], members(explored, rows[k])["composite"])
    assert (pixels[..., 3] == 255).all()
    assert page.inner_text("#exact").startswith("Recomposed exactly: undragged, these 128 × 128 pixels are those of")


def test_shrunk_layers_come_near_and_say_so(open_scene: Callable, explored: Path, rows: Rows) -> None:
    page = open_scene(7)
    assert np.abs(canvas(page)[..., :3] - members(explored, rows[7])["composite"]).mean() < 8
    assert page.inner_text("#exact").startswith("Layers shrunk to 128 px and compressed, so this is not exact")


@pytest.mark.parametrize("k", WHOLE)
def test_dragging_recomposes(open_scene: Callable, until: Callable, explored: Path, rows: Rows, k: int) -> None:
    page = open_scene(k)
    box = page.locator("#picture").bounding_box()
    scale = 128 / box["width"]
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3 / scale, y + 1 / scale)
    page.mouse.move(x + 17 / scale, y - 9 / scale)
    until(page, "view.dx !== 0 && view.dy < 0")
    page.mouse.up()
    dx, dy = page.evaluate("[view.dx, view.dy]")
    assert (dx, dy) == (17, -9)
    assert np.array_equal(canvas(page)[..., :3], composed(members(explored, rows[k]), dx, dy))
    assert page.inner_text("#moved") == f"moved +{dx}, −{-dy} px"
    page.mouse.move(x, y)
    page.mouse.move(x - 40, y)
    assert page.evaluate("[view.dx, view.dy]") == [dx, dy]  # let go
    page.click("#home")
    assert np.array_equal(canvas(page)[..., :3], members(explored, rows[k])["composite"])
    assert page.locator("#home").is_disabled()


def test_the_keyboard_moves_the_object(open_scene: Callable, explored: Path, rows: Rows) -> None:
    page = open_scene(WHOLE[0])
    page.focus("#picture")
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate("[view.dx, view.dy]") == [-2, -9]
    assert np.array_equal(canvas(page)[..., :3], composed(members(explored, rows[WHOLE[0]]), -2, -9))
    page.keyboard.press("Home")
    assert page.evaluate("[view.dx, view.dy]") == [0, 0]


def test_a_part_of_the_object_stays_on_the_canvas(open_scene: Callable, explored: Path, rows: Rows) -> None:
    layers = members(explored, rows[WHOLE[1]])
    page = open_scene(WHOLE[1])
    for way in ((-9999, 0), (9999, 0), (0, -9999), (0, 9999), (9999, 9999)):
        page.evaluate("([dx, dy]) => moveTo(dx, dy)", list(way))
        dx, dy = page.evaluate("[view.dx, view.dy]")
        alpha = moved(layers["foreground"], dx, dy)[..., 3]
        edges = [alpha[:, 0], alpha[:, -1], alpha[0], alpha[-1]]
        assert any(edge.any() for edge in edges) or way == (9999, 9999)
        assert np.array_equal(canvas(page)[..., :3], composed(layers, dx, dy))


def _occluded(rows: Rows) -> int:
    return next(k for k in WHOLE if rows[k]["occluded"] and rows[k]["shadow"])


@pytest.mark.parametrize(
    ("switch", "without"), [("shadow", ("shadow",)), ("object", ("foreground",)), ("front", ("occluder",))]
)
def test_switches(open_scene: Callable, explored: Path, rows: Rows, switch: str, without: tuple[str, ...]) -> None:
    k = _occluded(rows)
    layers = members(explored, rows[k])
    page = open_scene(k)
    page.uncheck(f"#layers [name={switch}]")
    off = canvas(page)[..., :3]
    assert np.array_equal(off, composed(layers, without=without))
    assert not np.array_equal(off, layers["composite"])
    page.focus(f"#layers [name={switch}]")
    page.keyboard.press("Space")
    assert np.array_equal(canvas(page)[..., :3], layers["composite"])


def test_without_object_and_shadow_there_is_the_background(open_scene: Callable, explored: Path, rows: Rows) -> None:
    k = _occluded(rows)
    page = open_scene(k)
    page.uncheck("#layers [name=object]")
    page.uncheck("#layers [name=shadow]")
    assert np.array_equal(canvas(page)[..., :3], members(explored, rows[k])["background"])


def test_without_the_background_there_is_a_board(open_scene: Callable, explored: Path, rows: Rows) -> None:
    k = _occluded(rows)
    layers = members(explored, rows[k])
    page = open_scene(k)
    page.uncheck("#layers [name=background]")
    pixels = canvas(page)[..., :3]
    away = (layers["foreground"][..., 3] == 0) & (layers["shadow"] == 0)
    bare = away & (layers["occluder"][..., 3] == 0)
    assert {tuple(p) for p in pixels[bare].tolist()} == {(200,) * 3, (240,) * 3}
    covered = layers["occluder"][..., 3] == 255
    assert np.array_equal(pixels[covered], layers["occluder"][covered][..., :3])


def test_the_mask_is_a_tint_within_itself(open_scene: Callable, explored: Path, rows: Rows) -> None:
    k = WHOLE[2]
    layers = members(explored, rows[k])
    page = open_scene(k)
    assert not page.is_checked("#layers [name=mask]")
    page.check("#layers [name=mask]")
    pixels, mask = canvas(page)[..., :3], layers["mask"] > 0
    assert np.array_equal(pixels[~mask], layers["composite"][~mask])
    wanted = layers["composite"] + 0.35 * (np.array((255, 0, 128)) - layers["composite"])
    edge = (pixels == (255, 0, 128)).all(axis=2)
    assert edge.sum() > 10
    assert np.abs(pixels - wanted)[mask & ~edge].max() <= 1


def test_an_empty_layer_has_no_switch(open_scene: Callable, rows: Rows) -> None:
    k = next(k for k, row in enumerate(rows) if not row["occluded"] and row["num_objects"] == 1)
    page = open_scene(k)
    assert page.is_disabled("#layers [name=front]")
    assert page.is_enabled("#layers [name=object]")


def test_layers_apart_in_depth_order(open_scene: Callable, explored: Path, rows: Rows) -> None:
    k = _occluded(rows)
    layers = members(explored, rows[k])
    page = open_scene(k)
    page.locator("#view [value=together]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#stack").is_visible()
    assert page.locator("#picture").is_hidden()
    names = page.locator("#stack canvas").evaluate_all("(all) => all.map((e) => e.dataset.layer)")
    assert names == ["background", "shadow", "object", "front", "mask"]
    rows_shown = page.locator("#layers input").evaluate_all("(all) => all.map((e) => e.name)")
    assert rows_shown == names[::-1]
    places = [c.bounding_box() for c in page.locator("#stack canvas:visible").all()]
    assert len(places) == 4  # the mask is off
    assert all(a["x"] < b["x"] and a["y"] > b["y"] for a, b in pairwise(places))
    object_ = canvas(page, "#stack [data-layer=object]")
    assert np.array_equal(object_[..., 3], layers["foreground"][..., 3])
    assert np.array_equal(canvas(page, "#stack [data-layer=shadow]")[..., 3], layers["shadow"])
    page.uncheck("#layers [name=front]")
    assert page.locator("#stack [data-layer=front]").is_hidden()
    page.focus("#spread")
    page.keyboard.press("Home")
    page.wait_for_timeout(300)
    close = [c.bounding_box()["x"] for c in page.locator("#stack canvas:visible").all()]
    assert close == pytest.approx([close[0]] * 3, abs=0.5)


def test_recipe_and_attribution_of_every_asset(open_scene: Callable, rows: Rows) -> None:
    k = _occluded(rows)
    page = open_scene(k)
    items = page.locator("#assets li").all_inner_texts()
    assert len(items) == len(rows[k]["layers"])
    for text, layer in zip(items, rows[k]["layers"][::-1], strict=True):
        for name in ("role", "asset", "license", "attribution", "uri", "caption", "origin"):
            assert layer[name] in text
    assert page.locator("#assets a").first.get_attribute("href") == "https://spdx.org/licenses/CC0-1.0.html"
    page.click("summary:has-text('Recipe')")
    assert json.loads(page.inner_text("#recipe")) == json.loads(rows[k]["recipe"])
    facts = page.inner_text("#facts")
    assert rows[k]["target"] in facts
    assert f"{rows[k]['mask_kind']}, strength {rows[k]['mask_strength']:.2f}, IoU {rows[k]['mask_iou']:.2f}" in facts


def test_enter_opens_next_follows_escape_returns(visit: Visit, until: Callable, explored: Path, rows: Rows) -> None:
    page = visit(explored / "explore.html")
    page.select_option("#filters [name=occluded]", value="yes")
    wanted = [row["key"] for row in rows if row["occluded"]]
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("Enter")
    ready(page, wanted[1])
    assert page.evaluate("location.hash") == f"#occluded=yes&scene={wanted[1]}"
    page.click("#next")
    ready(page, wanted[2])
    page.click("#previous")
    page.click("#previous")
    ready(page, wanted[0])
    assert page.locator("#previous").is_disabled()
    page.keyboard.press("Escape")
    page.wait_for_selector("#scene", state="hidden")
    until(page, f"document.activeElement.querySelector('.unit')?.textContent === '{wanted[0]}'")
    assert page.evaluate("location.hash") == "#occluded=yes"


def test_a_missing_file_is_told_and_tried_again(visit: Visit, explored: Path, rows: Rows, tmp_path: Path) -> None:
    out = tmp_path / "part"
    shutil.copytree(explored / "explore", out / "explore")
    shutil.copy(explored / "explore.html", out)
    lost = out / "explore" / "full" / f"{rows[6]['key']}.js"
    lost.rename(tmp_path / "kept.js")
    page = visit(out / "explore.html", f"#{rows[6]['key']}")
    page.wait_for_selector("#trouble:visible")
    assert page.inner_text("#trouble") == (
        f"explore/full/{rows[6]['key']}.js is missing or cannot be read; it belongs beside this page"
    )
    assert page.locator("#opened").is_hidden()
    (tmp_path / "kept.js").rename(lost)
    page.click("#next")
    ready(page, rows[7]["key"])
    page.click("#previous")
    ready(page, rows[6]["key"])
    assert page.locator("#trouble").is_hidden()


def test_layers_of_another_build_are_told(visit: Visit, explored: Path, rows: Rows, tmp_path: Path) -> None:
    out = tmp_path / "mixed"
    shutil.copytree(explored / "explore", out / "explore")
    shutil.copy(explored / "explore.html", out)
    own, other = (out / "explore" / "full" / f"{rows[k]['key']}.js" for k in WHOLE[:2])
    own.write_text(own.read_text().replace('"crc":', '"crc":1'))
    page = ready(visit(out / "explore.html", f"#{rows[6]['key']}"), rows[6]["key"])
    assert page.inner_text("#exact").startswith("Not the pixels of composite.png")
    assert other.is_file()


def test_partners_lead_to_each_other(visit: Visit, paired_build: Path, copy_of: Callable) -> None:
    out = copy_of(paired_build)
    explore(out, full=1)
    pairs = pq.read_table(out / "meta" / "index.parquet", columns=["key", "pair"]).to_pylist()
    row = next(row for row in pairs if row["pair"])
    page = ready(visit(out / "explore.html", f"#{row['key']}"), row["key"])
    page.click(f"#facts a:has-text('{row['pair']}')")
    ready(page, row["pair"])
    assert page.inner_text("#shown") == row["pair"]


@pytest.fixture
def touched(visit: Visit, explored: Path, rows: Rows) -> tuple[Any, Callable[..., None], tuple[float, float]]:
    """A scene on a phone, what touches it, and the middle of the canvas."""
    page = visit(explored / "explore.html", f"#scene={rows[6]['key']}", 390, 844, has_touch=True, is_mobile=True)
    ready(page, rows[6]["key"])
    box = page.locator("#picture").bounding_box()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    return page, touch, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_finger_drags_on_a_phone(touched: tuple, until: Callable, explored: Path, rows: Rows) -> None:
    page, touch, (x, y) = touched
    assert page.evaluate("document.querySelector('#scene').scrollWidth") == 390
    scale = 128 / page.locator("#picture").bounding_box()["width"]
    touch("touchStart", (x, y))
    touch("touchMove", (x + 20, y + 20))
    touch("touchMove", (x - 13 / scale, y + 22 / scale))
    until(page, "view.dx < 0 && view.dy > 0")
    touch("touchEnd")
    dx, dy = page.evaluate("[view.dx, view.dy]")
    assert (dx, dy) == (-13, 22)
    assert np.array_equal(canvas(page)[..., :3], composed(members(explored, rows[6]), dx, dy))
    assert page.evaluate("document.querySelector('#scene').scrollTop") == 0
    touch("touchStart", (x, y))  # a second time, from there
    touch("touchMove", (x + 3 / scale, y - 30 / scale))
    until(page, "view.dx === -10 && view.dy === -8")
    touch("touchCancel")
    assert np.array_equal(canvas(page)[..., :3], composed(members(explored, rows[6]), -10, -8))


def test_a_second_finger_moves_nothing(touched: tuple, until: Callable, explored: Path, rows: Rows) -> None:
    page, touch, (x, y) = touched
    scale = 128 / page.locator("#picture").bounding_box()["width"]
    touch("touchStart", (x, y))
    touch("touchMove", (x + 8 / scale, y))
    touch("touchStart", (x + 8 / scale, y), (x - 60, y - 60))
    touch("touchMove", (x + 8 / scale, y), (x - 90, y - 20))
    touch("touchMove", (x + 9 / scale, y + 4 / scale), (x - 60, y + 80))
    until(page, "view.dx === 9 && view.dy === 4")
    touch("touchEnd")
    assert page.evaluate("[view.dx, view.dy]") == [9, 4]
    assert np.array_equal(canvas(page)[..., :3], composed(members(explored, rows[6]), 9, 4))


def test_beside_the_canvas_a_finger_scrolls(touched: tuple, until: Callable) -> None:
    page, touch, (x, _) = touched
    held = (
        "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).touchAction !== 'auto').map((e) => e.id)"
    )
    assert page.evaluate(held) == ["picture"]
    y = page.locator("#layers").bounding_box()["y"] + 100
    touch("touchStart", (x, y))
    for k in range(1, 9):
        touch("touchMove", (x, y - 20 * k))
    touch("touchEnd")
    until(page, "document.querySelector('#scene').scrollTop > 50")
    assert page.evaluate("[view.dx, view.dy]") == [0, 0]
