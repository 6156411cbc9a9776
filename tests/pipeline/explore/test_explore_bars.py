"""Histograms in headless Chromium: their bars filter, by mouse, keys and finger, with each other and with the form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipeline.explore.pages import BINS, FIELDS, Rows, bar, bins, in_bins, most, pick, shown

Visit = Callable[..., Any]


@pytest.fixture
def page(visit: Visit, explored: Path) -> Any:
    return visit(explored / "explore.html")


def counts(page: Any, chart: str) -> list[int]:
    buttons = page.locator(".bins").nth(list(FIELDS).index(chart)).locator("button")
    return [int(text) for text in buttons.evaluate_all("(all) => all.map((e) => e.dataset.count)")]


def counted(rows: Rows, chart: str, left: Rows) -> list[int]:
    """How many of the rows `left` lie in each bin; `rows` are all."""
    keys = {row["key"] for row in left}
    own = [k for row, k in zip(rows, bins(rows, chart), strict=True) if row["key"] in keys]
    return np.bincount(own, minlength=BINS).tolist()


def keys(rows: Rows) -> list[str]:
    return [row["key"] for row in rows]


@pytest.mark.parametrize("chart", FIELDS)
def test_every_bar_filters_and_lets_go(page: Any, rows: Rows, chart: str) -> None:
    assert counts(page, chart) == counted(rows, chart, rows)
    full = [k for k, n in enumerate(counts(page, chart)) if n]
    assert len(full) > 2
    for k in full:
        bar(page, chart, k).click()
        wanted = keys(in_bins(rows, **{chart: {k}}))
        assert shown(page) == wanted
        assert page.inner_text("#count") == f"{len(wanted)} of 64 samples"
        assert page.locator(".bin[aria-pressed=true]").count() == 1
        assert page.inner_text("#clear") == "Clear all (1)"
        bar(page, chart, k).click()
        assert bar(page, chart, k).get_attribute("aria-pressed") == "false"
    assert shown(page) == keys(rows)


def test_bars_of_one_histogram_add_up_and_histograms_meet(page: Any, rows: Rows) -> None:
    visible, iou = {19, 12, 10}, {15, 16, 17, 18}
    for k in visible:
        bar(page, "visible", k).click()
    assert shown(page) == keys(in_bins(rows, visible=visible))
    for k in iou:
        bar(page, "iou", k).click()
    assert shown(page) == keys(in_bins(rows, visible=visible, iou=iou))
    pick(page, "split", "train")
    page.fill("[name=search]", "a")
    trained = [row for row in rows if row["split"] == "train"]
    wanted = [row for row in in_bins(rows, visible=visible, iou=iou) if row in trained]
    assert 0 < len(wanted) < len(trained)
    assert shown(page) == keys(wanted)
    assert page.inner_text("#clear") == "Clear all (4)"
    assert page.inner_text("#acting") == "visible fraction 0.50–0.55, 0.60–0.65, 0.95–1.00; mask IoU 0.75–0.95"


def test_bars_show_what_the_other_filters_leave(page: Any, rows: Rows) -> None:
    bar(page, "visible", 19).click()
    bar(page, "iou", 16).click()
    pick(page, "origin", "real")
    real = [row for row in rows if row["origin"] == "real"]
    left = {"visible": in_bins(rows, iou={16}), "iou": in_bins(rows, visible={19})}
    left["area"] = in_bins(rows, visible={19}, iou={16})
    for chart, others in left.items():
        own = [row for row in others if row in real]
        assert counts(page, chart) == counted(rows, chart, own)
        label = page.locator(".bins").nth(list(FIELDS).index(chart)).get_attribute("aria-label")
        median = np.median([row[FIELDS[chart]] for row in own])
        assert f"{len(own)} samples, median {median:.2f}" in label
    text = f"0.95–1.00: {counts(page, 'visible')[19]} of {sum(counts(page, 'visible'))}, all: "
    assert bar(page, "visible", 19).get_attribute("aria-label").startswith(text)


def test_heights_are_shares_of_all_and_of_those_left(page: Any, rows: Rows) -> None:
    pick(page, "occluded", "yes")
    own = [row for row in rows if row["occluded"]]
    for place, chart in enumerate(FIELDS):
        buttons = page.locator(".bins").nth(place).locator("button")
        read = "(all) => all.map((e) => [...e.children].map((part) => parseFloat(part.style.height)))"
        heights = np.array(buttons.evaluate_all(read))
        for part, of in enumerate((rows, own)):
            wanted, _ = np.histogram([row[FIELDS[chart]] for row in of], bins=BINS, range=(0, most(rows, chart)))
            shares = wanted / len(of)
            assert heights[:, part] / heights.max() == pytest.approx(shares / _top(rows, own, chart), abs=1e-4)
        assert heights.max() == pytest.approx(100)


def _top(rows: Rows, own: Rows, chart: str) -> float:
    return max(max(counted(rows, chart, of)) / len(of) for of in (rows, own))


def test_keys_move_and_choose(page: Any, rows: Rows) -> None:
    page.focus("#histograms summary")
    page.keyboard.press("Tab")
    first = min(bins(rows, "visible"))
    assert page.evaluate("CHARTS[0].bars.indexOf(document.activeElement)") == first
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement === CHARTS[0].bars[19]")
    assert shown(page) == keys(in_bins(rows, visible={19}))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert shown(page) == keys(in_bins(rows, visible={17, 19}))
    page.keyboard.press("Space")
    assert shown(page) == keys(in_bins(rows, visible={19}))
    read = "document.activeElement.closest('figure').querySelector('figcaption span').textContent"
    assert page.evaluate(read).startswith("0.85–0.90: ")
    page.keyboard.press("Tab")
    assert page.evaluate("CHARTS[1].bars.includes(document.activeElement)")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement === CHARTS[0].bars[17]")
    assert page.locator(".bin[tabindex='0']").count() == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_bars_are_buttons_whose_focus_is_seen(visit: Visit, explored: Path, scheme: str) -> None:
    page = visit(explored / "explore.html", scheme=scheme)
    named = page.get_by_role("toolbar", name="Histogram of mask IoU").get_by_role(
        "button", name="0.80–0.85", pressed=False
    )
    assert named.count() == 1
    page.focus("#histograms summary")
    page.keyboard.press("Tab")
    style = page.evaluate(
        "(({ outlineStyle, outlineWidth, outlineColor }) => [outlineStyle, outlineWidth, outlineColor])"
        "(getComputedStyle(document.activeElement))"
    )
    accent = {"light": "rgb(29, 92, 138)", "dark": "rgb(130, 187, 228)"}[scheme]
    assert style == ["solid", "2px", accent]
    before = page.locator(".bins").first.screenshot()
    page.keyboard.press("Tab")
    assert page.locator(".bins").first.screenshot() != before


def test_clear_all_takes_filters_and_keeps_the_order(page: Any, rows: Rows) -> None:
    pick(page, "order", "large")
    assert page.inner_text("#clear") == "Clear all"
    for chart, k in (("visible", 19), ("visible", 18), ("area", 2)):
        bar(page, chart, k).click()
    page.fill("[name=search]", "nothing is called this")
    assert page.inner_text("#clear") == "Clear all (3)"
    assert page.locator("#none").is_visible()
    page.focus("#clear")
    page.keyboard.press("Enter")
    assert shown(page) == keys(sorted(rows, key=lambda row: round(-row["area_fraction"], 6)))
    assert page.locator(".bin[aria-pressed=true]").count() == 0
    assert page.input_value("[name=search]") == ""
    assert page.evaluate("document.activeElement.id") == "clear"
    assert page.inner_text("#clear") == "Clear all"
    assert page.inner_text("#acting") == "choose bars to filter"


def test_fingers_choose_bars_on_a_phone(visit: Visit, explored: Path, rows: Rows) -> None:
    page = visit(explored / "explore.html", width=390, height=844, has_touch=True, is_mobile=True)
    page.tap("#histograms summary")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    box = bar(page, "visible", 19).bounding_box()
    assert box["width"] > 18
    assert box["height"] > 80
    bar(page, "visible", 19).tap()
    bar(page, "area", 1).tap()
    assert shown(page) == keys(in_bins(rows, visible={19}, area={1}))
    page.tap("#histograms summary")
    assert page.inner_text("#acting").startswith("visible fraction 0.95–1.00; area, share of the canvas 0.0")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
