"""The page in headless Chromium: tables, list, filter, keyboard. Skipped, with the reason, without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.html import html
from evaluation.results import Report
from tests.evaluation.report.example import COUNT, METHODS, ODD, ODD_ID, REFERENCE, SLASH, ids, psnr_of

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def file(report: Report, folder: Path) -> Path:
    path = folder / "report.html"
    path.write_text(html(report), encoding="utf-8")
    return path


@pytest.fixture
def page(visit: Visit, file: Path) -> Any:
    return visit(file)


def column(page: Any, table: str, n: int) -> list[str]:
    """First lines of a column's cells."""
    return [
        text.split("\n")[0].strip() for text in page.locator(f"#{table} tbody tr > :nth-child({n})").all_inner_texts()
    ]


def sort_states(page: Any, table: str) -> list[str]:
    return [th.get_attribute("aria-sort") for th in page.locator(f"#{table} thead th").all()]


def head(page: Any, table: str, n: int) -> Any:
    return page.locator(f"#{table} thead th:nth-child({n}) button")


def worst_first(method: int) -> list[str]:
    """Ids by PSNR, undefined last, equal ones as they stand."""
    scores = {id: psnr_of(method, i) for i, id in enumerate(ids())}
    return sorted(ids(), key=lambda id: (scores[id] is None, scores[id] or 0))


def test_odd_names_are_text(page: Any) -> None:
    assert column(page, "methods", 1) == list(METHODS)
    assert page.evaluate("window.hacked") is None
    assert page.locator("#panel img[src=x], #panel i:not(.dot, .span, .zero)").count() == 0
    assert page.inner_text("#name") == "removal-<odd>@3"
    page.fill("#filter", ODD_ID)
    assert column(page, "rows", 1) == [ODD_ID]


def test_cells_tell_means_intervals_marks_and_counts(page: Any) -> None:
    cells = [text.split("\n") for text in page.locator("#methods tbody tr > :nth-child(2)").all_inner_texts()]
    assert cells == [
        ["24.13", "[23.50, 25.25]"],
        ["26.50", "[26.00, 27.00]"],
        ["27.00†", "[26.50, 27.50]", "n = 135"],
    ]
    assert page.locator("#methods strong").all_inner_texts() == ["26.50", "0"]
    assert column(page, "methods", 4) == ["–", "–", "–"]
    assert page.locator("#methods tbody tr:nth-child(3) > :last-child").inner_text().split("\n") == ["135", "15 failed"]
    said = page.locator("#methods tbody tr:nth-child(3) [role=img]").first.get_attribute("aria-label")
    assert said.startswith("better than the reference")


def test_intervals_are_drawn_to_the_columns_scale(page: Any) -> None:
    # 23.5 to 27.5 is the scale; the first method's interval is 23.5 to 25.25, its mean 24.126
    box = page.locator("#methods tbody tr:first-child > :nth-child(2) .track").bounding_box()
    span = page.locator("#methods tbody tr:first-child > :nth-child(2) .span").bounding_box()
    dot = page.locator("#methods tbody tr:first-child > :nth-child(2) .dot").bounding_box()
    assert span["x"] == pytest.approx(box["x"], abs=1)
    assert span["width"] == pytest.approx(box["width"] * 1.75 / 4, abs=1)
    assert dot["x"] + dot["width"] / 2 == pytest.approx(box["x"] + box["width"] * 0.63 / 4, abs=1)


def test_the_scale_of_differences_holds_zero(page: Any) -> None:
    scores = "[[2, 1, 3, 9], null, [5, null, null, 1], [null, null, null, 0]]"
    assert page.evaluate(f"scale({scores}, false)") == [1, 5]
    assert page.evaluate(f"scale({scores}, true)") == [0, 5]


def test_a_press_on_a_head_sorts_the_best_first_then_the_worst(page: Any) -> None:
    assert sort_states(page, "methods") == ["none"] * 5
    head(page, "methods", 3).click()  # SAD: lower is better
    assert column(page, "methods", 1) == [ODD, SLASH, REFERENCE]
    assert sort_states(page, "methods") == ["none", "none", "ascending", "none", "none"]
    head(page, "methods", 3).click()
    assert column(page, "methods", 1) == [REFERENCE, SLASH, ODD]
    assert sort_states(page, "methods")[2] == "descending"
    head(page, "methods", 2).click()  # PSNR: higher is better
    assert column(page, "methods", 1) == [SLASH, ODD, REFERENCE]
    assert sort_states(page, "methods") == ["none", "descending", "none", "none", "none"]


def test_heads_sort_by_keyboard_and_keep_the_focus(page: Any) -> None:
    head(page, "methods", 1).focus()
    page.keyboard.press("Enter")
    assert column(page, "methods", 1) == [ODD, SLASH, REFERENCE]
    page.keyboard.press("Space")
    assert column(page, "methods", 1) == [REFERENCE, SLASH, ODD]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert sort_states(page, "methods") == ["none", "descending", "none", "none", "none"]


def test_differences_have_a_view_of_their_own(page: Any) -> None:
    page.get_by_label(f"Differences from {REFERENCE}").check(force=True)
    cells = page.locator("#methods tbody tr > :nth-child(2)").all_inner_texts()
    assert cells[0] == "–"
    assert cells[1].split("\n") == ["+2.3740", "[−0.5000, +4.0000]"]
    assert cells[2].split("\n") == ["+0.0120†", "[+0.0004, +0.0300]"]
    assert "minus" not in page.inner_text("#methods caption")
    head(page, "methods", 2).click()
    assert column(page, "methods", 1) == [ODD, SLASH, REFERENCE]  # undefined last
    head(page, "methods", 2).click()
    assert column(page, "methods", 1) == [SLASH, ODD, REFERENCE]


def test_pictures_come_worst_first_and_rows_are_made_lazily(page: Any) -> None:
    expected = worst_first(1)  # the first method that is not the reference
    page.wait_for_timeout(200)  # time to make rows that should not be made
    assert column(page, "rows", 1) == expected[:60]
    assert sort_states(page, "rows") == ["none", "ascending", "none"]
    for made in (120, COUNT):
        page.evaluate("byId('list').scrollTop = 1e6")
        page.wait_for_function(f"() => byId('rows').tBodies[0].rows.length === {made}")
    assert column(page, "rows", 1) == expected
    assert page.inner_text("#count") == f"{COUNT} of {COUNT}"


def test_method_and_metric_choose_what_is_sorted(page: Any) -> None:
    page.select_option("#method", label=SLASH)
    assert column(page, "rows", 1)[:20] == worst_first(2)[:20]
    head(page, "rows", 2).click()
    known = [id for i, id in enumerate(ids()) if psnr_of(2, i) is not None]
    assert column(page, "rows", 1)[0] == max(known, key=lambda id: psnr_of(2, ids().index(id)) or 0)
    page.select_option("#metric", label="SAD")
    assert column(page, "rows", 1)[:2] == [ODD_ID, "p148"]  # the highest SAD is the worst
    assert sort_states(page, "rows") == ["none", "descending", "none"]


def test_undefined_scores_come_last_both_ways(page: Any) -> None:
    page.select_option("#method", label=SLASH)
    for _ in range(2):
        head(page, "rows", 2).click()
        page.locator("#rows tbody button").first.focus()
        page.keyboard.press("End")
        assert column(page, "rows", 2)[-15:] == ["–"] * 15
        assert "–" not in column(page, "rows", 2)[:-15]


def test_differences_from_the_reference_sort_too(page: Any) -> None:
    head(page, "rows", 3).click()
    assert column(page, "rows", 3)[0] == "+1.00"
    page.select_option("#method", label=REFERENCE)
    assert set(column(page, "rows", 3)) == {"–"}


def test_a_press_on_a_method_lists_its_pictures(page: Any) -> None:
    page.get_by_role("button", name=SLASH, exact=True).click()
    assert page.input_value("#method") == "2"
    assert column(page, "rows", 1)[:20] == worst_first(2)[:20]
    assert page.locator("#methods tr[aria-current]").count() == 1
    assert page.locator("#methods tr[aria-current] th").inner_text() == SLASH


def test_filter_by_id(page: Any) -> None:
    page.fill("#filter", "P00")
    assert column(page, "rows", 1) == [id for id in worst_first(1) if "p00" in id]
    assert page.inner_text("#count") == f"10 of {COUNT}"
    page.fill("#filter", "48")
    assert sorted(column(page, "rows", 1)) == ["p048", "p148"]
    page.fill("#filter", "no such")
    assert page.locator("#rows tbody tr").count() == 0
    assert page.inner_text("#count") == f"0 of {COUNT}"
    page.fill("#filter", "")
    assert page.inner_text("#count") == f"{COUNT} of {COUNT}"


def test_arrow_keys_walk_through_the_list(page: Any) -> None:
    expected = worst_first(1)
    page.locator("#rows tbody button").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#shown") == expected[1]
    assert page.evaluate("document.activeElement.textContent") == expected[1]
    page.keyboard.press("End")
    assert page.inner_text("#shown") == expected[-1]
    assert page.locator("#rows tbody tr").count() == COUNT
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageUp")
    assert page.inner_text("#shown") == expected[-12]
    assert page.locator("#rows tr[aria-current] th").inner_text().strip() == expected[-12]
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert page.inner_text("#shown") == expected[0]


def test_the_list_is_one_stop_of_the_tab_key(page: Any) -> None:
    page.locator("#rows tbody tr").nth(4).click()
    stops = page.locator("#rows tbody button[tabindex='0']")
    assert [text.strip() for text in stops.all_inner_texts()] == [worst_first(1)[4]]
    page.fill("#filter", "p00")  # without the chosen picture: the first row is the stop
    page.fill("#filter", "p01")
    assert stops.count() == 1


def test_the_rows_reached_by_keyboard_are_in_sight(page: Any) -> None:
    page.locator("#rows tbody button").first.focus()
    page.keyboard.press("End")
    row, view = (page.locator(s).bounding_box() for s in ("#rows tr[aria-current]", "#list"))
    assert view["y"] <= row["y"]
    assert row["y"] + row["height"] <= view["y"] + view["height"] + 1
    page.keyboard.press("Home")
    row, top = (page.locator(s).bounding_box() for s in ("#rows tr[aria-current]", "#rows thead th:first-child"))
    assert row["y"] >= top["y"] + top["height"] - 1


def test_tabs_by_press_key_and_address(page: Any, visit: Visit, file: Path) -> None:
    tabs = page.get_by_role("tab")
    assert tabs.all_inner_texts() == ["removal-<odd>@3", "extraction@1"]
    tabs.nth(1).click()
    assert page.inner_text("#name") == "extraction@1"
    assert page.evaluate("location.hash") == "#extraction%401"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#name") == "removal-<odd>@3"
    assert [tab.get_attribute("aria-selected") for tab in tabs.all()] == ["true", "false"]
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent") == "extraction@1"
    assert [tab.get_attribute("tabindex") for tab in tabs.all()] == ["-1", "0"]
    assert visit(file, hash="#extraction%401").inner_text("#name") == "extraction@1"


def test_each_protocol_keeps_its_choices(page: Any) -> None:
    page.fill("#filter", "p00")
    page.get_by_role("tab").nth(1).click()
    assert page.input_value("#filter") == ""
    assert page.locator("#view").is_hidden()
    assert column(page, "methods", 4) == ["0.0123"]
    page.get_by_role("tab").nth(0).click()
    assert page.input_value("#filter") == "p00"
    assert page.locator("#rows tbody tr").count() == 10


def test_what_was_left_out_is_told(page: Any) -> None:
    assert page.inner_text("#left-out summary") == "Left out: 13, with reasons"
    page.click("#left-out summary")
    assert page.locator("#left-table tbody tr:first-child td").all_inner_texts()[:3] == [
        "all",
        "12",
        "….clean.png: cut short",
    ]
    assert "150 scored, 12 of the data left out" in page.inner_text("#settings")


def test_an_empty_report_opens(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    path.write_text(html(Report(created="now", versions={}, protocols=[])), encoding="utf-8")
    page = visit(path)
    assert page.inner_text("#created") == "made now"
    assert page.locator("#panel").is_hidden()
