"""The viewer in headless Chromium: what is left and right of the divider, read from screenshots."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evaluation.report.html import html
from evaluation.results import ItemResult, MethodResult, ProtocolResult, Report
from stages.types import U8
from tests.evaluation.report.example import BLUE, GREEN, METHODS, ODD, RED, SLASH, WHITE, blank, ids

Visit = Callable[..., Any]
SCHEMES = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


@pytest.fixture(scope="module")
def file(report: Report, folder: Path) -> Path:
    path = folder / "viewer.html"
    path.write_text(html(report), encoding="utf-8")
    return path


@pytest.fixture
def page(visit: Visit, file: Path) -> Any:
    return _loaded(visit(file))


def _loaded(page: Any) -> Any:
    """The page, once both pictures of the stage are there."""
    page.wait_for_function(
        "['left-picture', 'right-picture'].every((id) => byId(id).complete && byId(id).naturalWidth)"
    )
    return page


def stage(page: Any) -> U8:
    """Pixels of the stage, (h, w, 3) RGB."""
    data = np.frombuffer(_loaded(page).locator("#stage").screenshot(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def at(pixels: U8, share: float) -> tuple[int, ...]:
    """Colour at a share of the width, a quarter down."""
    return tuple(int(v) for v in pixels[pixels.shape[0] // 4, int(share * (pixels.shape[1] - 1))])


def test_input_left_and_answer_right_of_the_middle(page: Any) -> None:
    pixels = stage(page)
    assert [at(pixels, s) for s in (0.02, 0.48, 0.52, 0.98)] == [RED, RED, GREEN, GREEN]
    assert pixels.shape[1] / pixels.shape[0] == pytest.approx(2, rel=0.02)  # the pictures' shape
    assert page.input_value("#left") == "input"
    assert page.input_value("#right") == f"{ODD}/background"


def test_the_divider_moves_by_keyboard(page: Any) -> None:
    page.focus("#divider")
    page.keyboard.press("Home")
    assert [at(stage(page), s) for s in (0.02, 0.98)] == [GREEN, GREEN]
    page.keyboard.press("End")
    assert [at(stage(page), s) for s in (0.02, 0.98)] == [RED, RED]
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.input_value("#divider") == "90"
    assert [at(stage(page), s) for s in (0.88, 0.92)] == [RED, GREEN]
    assert page.get_attribute("#divider", "aria-valuetext").startswith("left 90 percent: Input; right: ")


def test_the_divider_moves_by_dragging(page: Any) -> None:
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.locator("#stage").bounding_box()
    y = box["y"] + box["height"] * 0.7
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, y)
    assert [at(stage(page), s) for s in (0.22, 0.28)] == [RED, GREEN]
    page.mouse.move(box["x"] - 50, y)  # beyond the edge
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.6, y)
    assert page.input_value("#divider") == "0"


def test_any_two_pictures(page: Any) -> None:
    page.select_option("#left", label="Truth: background")
    page.select_option("#right", label=f"{SLASH}: background")
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [BLUE, GREEN]
    page.click("#swap")
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [GREEN, BLUE]
    assert page.input_value("#left") == f"{SLASH}/background"


def test_the_last_two_layers_pressed_are_compared(page: Any) -> None:
    strip = page.locator("#strip button")
    assert strip.all_inner_texts() == ["Input", "Truth: background", f"{ODD}: background", f"{ODD}: foreground"]
    strip.nth(1).click()
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [GREEN, BLUE]
    assert [b.get_attribute("aria-pressed") for b in strip.all()] == ["false", "true", "true", "false"]
    strip.nth(0).focus()
    page.keyboard.press("Enter")
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [BLUE, RED]


def test_transparent_layers_stand_on_a_checkerboard(page: Any) -> None:
    page.select_option("#left", value=f"{METHODS[0]}/foreground")
    page.select_option("#right", value=f"{ODD}/foreground")
    pixels = stage(page)
    half = pixels[:, : int(pixels.shape[1] * 0.45)].reshape(-1, 3)
    colours, counts = np.unique(half, axis=0, return_counts=True)
    common = colours[counts > 0.2 * len(half)]
    assert common.tolist() == [[0xD9] * 3, [0xFF] * 3]  # nothing of the right picture shows through
    assert at(pixels, 0.7) == WHITE


def test_scores_stand_below_their_pictures(page: Any) -> None:
    assert page.inner_text("#left-score") == ""
    assert page.inner_text("#right-score") == "PSNR in mask 21.00 dB"  # the worst: p000
    page.select_option("#metric", label="SAD")
    page.locator("#rows tbody tr").first.click()
    assert page.inner_text("#right-score") == "SAD 149"


def test_another_method_shows_its_layers(page: Any) -> None:
    page.select_option("#right", value=f"{ODD}/foreground")
    page.select_option("#method", label=SLASH)
    assert page.input_value("#right") == f"{SLASH}/foreground"
    assert page.input_value("#left") == "input"


def test_next_and_previous_follow_the_list(page: Any) -> None:
    page.fill("#filter", "p00")
    listed = [text.strip() for text in page.locator("#rows tbody th").all_inner_texts()]
    page.locator("#rows tbody tr").first.click()
    assert page.locator("#previous").is_disabled()
    page.click("#next")
    assert page.inner_text("#shown") == listed[1]
    for _ in listed[2:]:
        page.click("#next")
    assert page.inner_text("#shown") == listed[-1]
    assert page.locator("#next").is_disabled()


def test_paths_with_odd_characters_are_found(page: Any) -> None:
    page.fill("#filter", ids()[-1])
    page.locator("#rows tbody tr").first.click()
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [RED, GREEN]


def test_a_missing_picture_is_told(page: Any) -> None:
    page.get_by_role("tab", name="extraction@1").click()
    assert page.input_value("#right") == "a/foreground"  # what extraction is about
    page.select_option("#right", label="Truth: alpha")
    page.locator("#trouble").wait_for()
    assert page.inner_text("#trouble") == "Truth: alpha of only: the picture is missing or cannot be shown"
    page.select_option("#right", label="Input")
    assert page.locator("#trouble").is_hidden()


def test_an_embedded_page_needs_no_folder(report: Report, folder: Path, visit: Visit, tmp_path: Path) -> None:
    small = report.model_copy(update={"protocols": [_few(report.protocols[0], 3), report.protocols[1]]})
    path = tmp_path / "alone.html"
    path.write_text(html(small, embed=True, folder=folder), encoding="utf-8")
    page = _loaded(visit(path))
    assert [at(stage(page), s) for s in (0.3, 0.7)] == [RED, GREEN]
    lost = "Pictures that are not in this page (1): pictures/p000/lost.png: cannot be read"
    assert page.inner_text("#lost") == lost


def _few(protocol: ProtocolResult, count: int) -> ProtocolResult:
    return protocol.model_copy(update={"items": protocol.items[:count]})


def test_nothing_is_asked_of_the_network(visit: Visit, tmp_path: Path) -> None:
    """`visit` checks what was asked for; these paths would be addresses if they were taken as such."""
    pictures = {"input": "http://localhost:9/x.png", "m/background": "//localhost:9/y.png"}
    item = ItemResult(id="a", scores={}, pictures=pictures)
    protocol = blank(task="removal", reference="m", items=[item], methods=[MethodResult(name="m", key="", scores={})])
    path = tmp_path / "report.html"
    path.write_text(html(Report(created="", versions={}, protocols=[protocol])), encoding="utf-8")
    page = visit(path)
    page.locator("#trouble").wait_for()
    assert page.inner_text("#trouble").endswith("of a: the picture is missing or cannot be shown")


def test_a_report_without_pictures_has_no_viewer(visit: Visit, report: Report, tmp_path: Path) -> None:
    items = [item.model_copy(update={"pictures": {}}) for item in report.protocols[0].items]
    bare = report.model_copy(update={"protocols": [report.protocols[0].model_copy(update={"items": items})]})
    path = tmp_path / "report.html"
    path.write_text(html(bare), encoding="utf-8")
    page = visit(path)
    assert page.locator("#viewer").is_hidden()
    page.locator("#rows tbody tr").nth(2).click()
    assert page.locator("#rows tr[aria-current]").count() == 1


@pytest.mark.parametrize(("scheme", "width"), SCHEMES)
def test_it_fits_the_screen_in_light_and_dark(
    visit: Visit, file: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    page = _loaded(visit(file, width=width, height=844, scheme=scheme))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    path = tmp_path / "page.png"
    page.screenshot(path=path, full_page=True)
    pixels = cv2.imread(str(path))
    assert pixels.shape[1] == width
    assert (np.median(pixels) > 200) == (scheme == "light")
    above = page.locator("#viewer").bounding_box()["y"] < page.locator("#list").bounding_box()["y"]
    assert above == (width == 390)


def test_on_a_phone_a_press_on_a_row_shows_the_viewer(visit: Visit, file: Path) -> None:
    page = _loaded(visit(file, width=390, height=844))
    page.locator("#rows tbody tr").nth(5).click()
    box = page.locator("#frame").bounding_box()
    assert 0 < box["y"] < 300
    before = page.evaluate("scrollY")
    page.click("#next")
    assert page.evaluate("scrollY") == before  # the list follows without moving the page
