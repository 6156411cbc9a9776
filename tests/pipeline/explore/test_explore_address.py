"""The address in headless Chromium: it holds filters and scene, and link, reload, Back and Forward show them again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.explore.pages import Rows, bar, bins, in_bins, pick, shown

Visit = Callable[..., Any]


@pytest.fixture
def page(visit: Visit, explored: Path) -> Any:
    return visit(explored / "explore.html")


def address(page: Any) -> str:
    return page.evaluate("location.hash")


def keys(rows: Rows) -> list[str]:
    return [row["key"] for row in rows]


def opened(page: Any, key: str) -> None:
    page.wait_for_selector(f"#scene[data-shown={key}]")


def closed(page: Any) -> None:
    page.wait_for_selector("#scene:not([open], [data-shown])", state="attached")


def test_choices_stand_in_the_address(page: Any, rows: Rows) -> None:
    pick(page, "split", "train")
    pick(page, "occluded", "yes")
    left = [row for row in rows if row["split"] == "train" and row["occluded"]]
    k = min(k for row, k in zip(rows, bins(rows, "visible"), strict=True) if row in left)
    bar(page, "visible", k).click()
    page.locator(".cell").first.click()
    first = next(row["key"] for row in left if row in in_bins(rows, visible={k}))
    opened(page, first)
    wanted = f"#split=train&occluded=yes&visible={k / 20:.2f}-{(k + 1) / 20:.2f}&scene={first}"
    assert address(page) == wanted
    page.click("#close")
    closed(page)
    assert address(page) == wanted.split("&scene")[0]
    page.click("#clear")
    assert address(page) == ""


def test_neighbouring_bars_are_one_range(page: Any, rows: Rows) -> None:
    for k in (17, 19, 12, 18):
        bar(page, "iou", k).click()
    assert address(page) == "#iou=0.60-0.65,0.85-1.00"


@pytest.mark.parametrize("again", ["link", "reload"])
def test_a_link_and_a_reload_show_the_same(visit: Visit, page: Any, explored: Path, rows: Rows, again: str) -> None:
    pick(page, "origin", rows[0]["origin"])
    pick(page, "order", "rough")
    for chart, k in (("visible", 19), ("visible", 12), ("area", 1), ("area", 2), ("area", 5)):
        bar(page, chart, k).click()
    page.fill("[name=search]", "0 _")
    before, hash_ = shown(page), address(page)
    assert len(before) > 1
    page.locator(".cell").nth(1).click()
    opened(page, before[1])
    if again == "link":
        page = visit(explored / "explore.html", address(page))
    else:
        page.reload()
    opened(page, before[1])
    assert address(page) == f"{hash_}&scene={before[1]}"
    assert shown(page) == before
    assert page.inner_text("#clear") == "Clear all (4)"
    assert page.input_value("[name=order]") == "rough"
    assert page.input_value("[name=search]") == "0 _"
    assert page.locator(".bin[aria-pressed=true]").count() == 5
    page.keyboard.press("Escape")
    closed(page)
    assert address(page) == hash_


def test_back_and_forward(page: Any, rows: Rows, until: Callable) -> None:
    steps = [("", keys(rows))]
    pick(page, "occluded", "no")
    whole = [row for row in rows if not row["occluded"]]
    steps.append(("#occluded=no", keys(whole)))
    bar(page, "visible", 19).click()
    steps.append(("#occluded=no&visible=0.95-1.00", keys(row for row in in_bins(rows, visible={19}) if row in whole)))
    bar(page, "visible", 19).click()
    steps.append(("#occluded=no", keys(whole)))
    for hash_, wanted in steps[-2::-1]:
        page.go_back()
        until(page, f"location.hash === '{hash_}' && order.length === {len(wanted)}")
        assert shown(page) == wanted
    assert page.locator(".bin[aria-pressed=true]").count() == 0
    assert page.input_value("[name=occluded]") == ""
    for hash_, wanted in steps[1:]:
        page.go_forward()
        until(page, f"location.hash === '{hash_}' && order.length === {len(wanted)}")
        assert shown(page) == wanted


def test_back_closes_a_scene_and_forward_opens_it(page: Any, rows: Rows) -> None:
    page.evaluate("window.kept = grid.children[1]")
    page.locator(".cell").nth(1).click()
    opened(page, rows[1]["key"])
    page.click("#next")
    opened(page, rows[2]["key"])
    page.go_back()
    opened(page, rows[1]["key"])
    page.go_back()
    closed(page)
    assert address(page) == ""
    assert page.evaluate("grid.children[1] === window.kept")  # the grid stayed
    page.go_forward()
    opened(page, rows[1]["key"])
    page.go_forward()
    opened(page, rows[2]["key"])
    assert address(page) == f"#scene={rows[2]['key']}"
    page.keyboard.press("Escape")
    closed(page)
    page.go_back()
    opened(page, rows[2]["key"])


def test_typing_is_no_step_of_the_history(page: Any, rows: Rows, until: Callable) -> None:
    pick(page, "occluded", "yes")
    steps = page.evaluate("history.length")
    page.type("[name=search]", "train 7 ")
    assert page.evaluate("history.length") == steps
    assert address(page) == "#search=train+7&occluded=yes"
    assert page.input_value("[name=search]") == "train 7 "
    page.go_back()
    until(page, "order.length === 64")
    assert page.input_value("[name=search]") == ""


@pytest.mark.parametrize("text", ["a+b & c=d, 100 % #1", "ключ/é:\"'<b>", "%41 %", "=&+"])
def test_any_search_comes_back(visit: Visit, page: Any, explored: Path, text: str) -> None:
    page.fill("[name=search]", text)
    other = visit(explored / "explore.html", address(page))
    assert other.input_value("[name=search]") == text
    assert other.inner_text("#count") == page.inner_text("#count")
    assert address(other) == address(page)


BAD = [
    "#%", "#%E0%A4%A", "#=&&=&", "#grid", "#split=nope&mask=&foo=1&foo", "#visible=0.31-0.35", "#visible=0.50-0.30",
    "#visible=0.50-0.50", "#visible=-1-2", "#visible=0-20,x,1e1-2e1,.-.", "#iou=NaN-1", "#scene=train_999999999",
    "#scene=", "#order=toString", "#split=%3Cb%3E", "#__proto__=1&constructor=2&hasOwnProperty=3", "#license=CC0-1.0",
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_understood_is_ignored(visit: Visit, explored: Path, rows: Rows, bad: str) -> None:
    page = visit(explored / "explore.html", bad)
    assert shown(page) == keys(rows)
    assert page.inner_text("#clear") == "Clear all"
    assert page.input_value("[name=order]") == "key"
    assert page.locator("#scene").is_hidden()
    pick(page, "occluded", "yes")
    assert address(page) == "#occluded=yes"


def test_the_rest_of_a_bad_address_acts_and_back_comes_to_it(
    visit: Visit, explored: Path, rows: Rows, until: Callable
) -> None:
    bad = f"#foo=1&split=nope&occluded=yes&%&visible=0.1-0.2,0.17-0.3,0.9-1&scene={rows[5]['key']}&iou=x"
    page = visit(explored / "explore.html", bad)
    opened(page, rows[5]["key"])
    wanted = keys(row for row in in_bins(rows, visible={2, 3, 18, 19}) if row["occluded"])
    assert shown(page) == wanted
    assert address(page) == bad
    page.click("#close")
    closed(page)
    assert address(page) == "#occluded=yes&visible=0.10-0.20,0.90-1.00"
    page.go_back()
    opened(page, rows[5]["key"])
    assert address(page) == bad
    page.go_forward()
    closed(page)
    assert shown(page) == wanted


def test_an_address_typed_in_is_followed(page: Any, rows: Rows, until: Callable) -> None:
    page.evaluate("location.hash = '#mask=none&visible=0.95-1&search=train'")
    until(page, "order.length < 64")
    assert shown(page) == keys(row for row in in_bins(rows, visible={19}) if row["split"] == "train")
    page.evaluate(f"location.hash = '#{rows[3]['key']}'")  # a key alone
    opened(page, rows[3]["key"])
    assert page.inner_text("#count") == "64 of 64 samples"
    assert page.locator("#next").is_enabled()
    page.evaluate(f"location.hash = '#search={rows[3]['key']}&scene={rows[3]['key']}'")
    until(page, "order.length === 1")
    assert page.locator("#scene").is_visible()
    assert page.locator("#next").is_disabled()


def test_the_skip_link_keeps_the_filters(visit: Visit, explored: Path) -> None:
    page = visit(explored / "explore.html", "#occluded=yes")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "grid"
    assert address(page) == "#occluded=yes"
