"""The grid in headless Chromium: filters, order, keyboard. Skipped, with the reason, without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.explore.html import html
from tests.pipeline.explore.pages import Rows, pick, shown

Visit = Callable[..., Any]


@pytest.fixture
def page(visit: Visit, explored: Path) -> Any:
    return visit(explored / "explore.html")


def keys(rows: Rows, wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> list[str]:
    return [row["key"] for row in rows if wanted(row)]


def offered(page: Any, name: str) -> list[str]:
    return page.locator(f"#filters [name={name}] option").all_text_contents()


def test_all_samples_at_first(page: Any, rows: Rows) -> None:
    assert shown(page) == keys(rows)
    assert page.inner_text("#count") == "64 of 64 samples"
    assert page.inner_text("h1") == "tiny"


@pytest.mark.parametrize(
    ("name", "field"), [("split", "split"), ("origin", "origin"), ("mask", "mask_kind"), ("occluded", "occluded")]
)
def test_each_filter_against_the_index(page: Any, rows: Rows, name: str, field: str) -> None:
    values = {row[field] for row in rows}
    assert len(values) > 1
    for value in values:
        pick(page, name, {True: "yes", False: "no"}.get(value, value))
        assert shown(page) == keys(rows, lambda row, v=value: row[field] == v)
    counts = sorted(int(text.split("(")[1][:-1]) for text in offered(page, name)[1:])
    assert counts == sorted(sum(row[field] == v for row in rows) for v in values)


def test_filters_meet_and_are_cleared(page: Any, rows: Rows, until: Callable) -> None:
    pick(page, "split", "train")
    pick(page, "origin", "real")
    pick(page, "occluded", "yes")
    wanted = keys(rows, lambda r: (r["split"], r["origin"], r["occluded"]) == ("train", "real", True))
    assert shown(page) == wanted
    assert page.inner_text("#count") == f"{len(wanted)} of 64 samples"
    assert page.inner_text("#clear") == "Clear all (3)"
    page.click("#clear")
    until(page, "order.length === 64")
    assert shown(page) == keys(rows)
    assert page.inner_text("#clear") == "Clear all"
    assert page.get_attribute("#clear", "aria-disabled") == "true"


def test_a_list_of_one_choice_is_left_out(page: Any) -> None:
    assert page.locator("#filters [name=license]").is_hidden()  # all is CC0-1.0
    assert page.locator("#filters [name=split]").is_visible()


def test_search_meets_every_word_in_key_caption_and_assets(page: Any, rows: Rows) -> None:
    word = rows[0]["layers"][-1]["asset"].upper()
    page.fill("[name=search]", word)
    assert shown(page) == keys(rows, lambda r: any(word.lower() in layer["asset"].lower() for layer in r["layers"]))
    page.fill("[name=search]", f"{word} {rows[0]['key']}")
    assert shown(page) == [rows[0]["key"]]
    page.fill("[name=search]", "nothing is called this")
    assert shown(page) == []
    assert page.locator("#none").is_visible()
    label = page.locator(".bins").first.get_attribute("aria-label")
    assert label.startswith("Histogram of visible fraction: 0 samples, none.")


def test_samples_with_whole_layers(page: Any, rows: Rows) -> None:
    pick(page, "layers", "whole")
    assert shown(page) == [rows[k]["key"] for k in (6, 19, 32, 44, 57)]
    assert page.locator(".cell .whole").count() == 5


@pytest.mark.parametrize(
    ("order", "by"),
    [
        ("hidden", lambda r: r["visible_fraction"]),
        ("large", lambda r: -r["area_fraction"]),
        ("small", lambda r: r["area_fraction"]),
        ("rough", lambda r: r["mask_iou"]),
    ],
)
def test_orders(page: Any, rows: Rows, order: str, by: Callable[[dict[str, Any]], float]) -> None:
    pick(page, "order", order)
    assert shown(page) == keys(sorted(rows, key=lambda r: round(by(r), 6)))


def test_the_keyboard_moves_through_the_grid(page: Any, rows: Rows) -> None:
    focused = "document.activeElement.querySelector('.unit').textContent"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip link
    page.keyboard.press("Tab")
    across = page.evaluate("[...grid.children].filter((c) => c.offsetTop === grid.children[0].offsetTop).length")
    place = 0
    steps = {"ArrowRight": 1, "ArrowDown": across, "ArrowLeft": -1, "PageDown": 4 * across, "ArrowUp": -across}
    for key, step in steps.items():
        page.keyboard.press(key)
        place += step
        assert page.evaluate(focused) == rows[place]["key"]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == rows[0]["key"]
    page.keyboard.press("End")
    assert page.evaluate(focused) == rows[63]["key"]
    assert page.locator(".cell[tabindex='0']").count() == 1


def test_thumbnails_show_their_sample(page: Any, explored: Path) -> None:
    page.evaluate("reveal(63)")
    for i, sheet, place in ((0, "0000", "0% 0%"), (24, "0000", "100% 100%"), (57, "0002", "50% 50%")):
        style = (
            page.locator(".cell .thumb").nth(i).evaluate("(e) => [e.style.backgroundImage, e.style.backgroundPosition]")
        )
        assert style == [f'url("explore/thumbs/{sheet}.webp")', place]


def test_licences_of_the_assets(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "explore.html"
    file.write_text(_many(30, [["CC0-1.0"], ["CC-BY-4.0 OR MIT", "CC0-1.0"], ["MIT"]]), encoding="utf-8")
    page = visit(file)
    assert offered(page, "license") == ["any", "CC-BY-4.0 OR MIT (10)", "CC0-1.0 (20)", "MIT (10)"]
    for value, rests in (("CC0-1.0", (0, 1)), ("MIT", (2,)), ("CC-BY-4.0 OR MIT", (1,))):
        pick(page, "license", value)
        assert shown(page) == [f"train_{k:09d}" for k in range(30) if k % 3 in rests]


def _many(count: int, licenses: list[list[str]]) -> str:
    """The page of a build of `count` samples whose files are not there; its strings would be markup."""
    odd = "<img src=x onerror='window.hacked = 1'>"
    columns = {"key": [f"train_{k:09d}" for k in range(count)], "caption": [odd] * count, "target": [odd] * count}
    columns |= {"split": ["train"] * count, "origin": ["real"] * count, "occluded": [False] * count}
    columns |= {"mask": ["box"] * count, "visible": [1.0] * count, "area": [0.1] * count, "iou": [0.5] * count}
    columns |= {"assets": [[0]] * count, "licenses": [licenses[k % len(licenses)] for k in range(count)]}
    columns |= {"full": [False] * count}
    asset = dict.fromkeys(("id", "source", "origin", "license", "attribution", "uri", "caption"), odd)
    shape = {"folder": "explore", "pack": 25, "across": 5, "thumb": 144, "total": 100000}
    return html("many", shape | {"columns": columns, "assets": [asset | {"whole": True}]})


def test_thumbnails_are_read_when_they_come_near(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "explore.html"
    file.write_text(_many(2000, [["CC0-1.0"]]), encoding="utf-8")
    page = visit(file)
    asked = lambda: {url[-9:-5] for url in page.asked if url.endswith(".webp")}  # noqa: E731
    page.wait_for_timeout(300)
    assert page.inner_text("#count") == "2,000 of 2,000 samples, of 100,000 in the build"
    first, cells = asked(), page.locator(".cell").count()
    assert 1 <= len(first) <= 8
    assert cells <= 240
    for _ in range(3):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(150)
    assert len(asked()) > len(first)
    assert page.locator(".cell").count() > cells
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_sees_it_all_without_scrolling_sideways(visit: Visit, explored: Path, scheme: str) -> None:
    page = visit(explored / "explore.html", width=390, height=844, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("document.querySelector('#histograms').open") is False
    row = page.evaluate("[...grid.children].filter((c) => c.offsetTop === grid.children[0].offsetTop).length")
    assert row == 3
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in colour[4:-1].split(",")) > 384) == (scheme == "light")
    sizes = page.locator("#filters select:visible").evaluate_all("(all) => all.map((e) => e.offsetHeight)")
    assert min(sizes) >= 38
