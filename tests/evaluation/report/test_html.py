"""The page as text: what it holds and what it cannot do. No browser."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from evaluation.report.html import html
from evaluation.results import ItemResult, Report
from stages.page import safe_json
from tests.evaluation.report.example import METHODS, ODD, blank, psnr_of
from tests.evaluation.report.test_marks import of

FILES = resources.files("evaluation.report")
SCRIPTS = [f.name for f in FILES.iterdir() if f.name.endswith(".js")]
COLOURS = re.compile(r"--([\w-]+): (#[0-9a-f]+)")


class Elements(HTMLParser):
    """Elements of a page with their attributes, and the text in each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.texts.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.lasttag in ("script", "style") and data.strip():
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)


def held(page: str) -> dict[str, Any]:
    """The content of a page, taken out as a browser takes it: up to the first end tag."""
    found = re.search(r'<script type="application/json" id="content">(.*?)</script', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return html(report)


def test_two_scripts_one_style_and_nothing_else_that_loads(page: str) -> None:
    elements = Elements(page)
    tags = [tag for tag, _ in elements.found]
    assert tags.count("script") == 2
    assert tags.count("style") == 1
    loading = [(tag, a) for tag, a in elements.found if {"src", "href", "srcset", "action"} & set(a)]
    assert loading == [("link", {"rel": "icon", "href": "data:,"}), ("a", {"class": "skip", "href": "#panel"})]
    assert "http:" not in page.replace(json.dumps(ODD), "")
    assert "https:" not in page


def test_no_inline_handlers_or_styles(page: str) -> None:
    names = {name for _, attributes in Elements(page).found for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert "style" not in names


@pytest.mark.parametrize("name", SCRIPTS)
def test_strings_cannot_become_markup_or_code(name: str) -> None:
    text = FILES.joinpath(name).read_text()
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|fetch\(|XMLHttp", text
    )
    assert "</" not in text


def test_every_script_is_in_the_page(page: str) -> None:
    assert len(SCRIPTS) == 5
    assert all(FILES.joinpath(name).read_text() in page for name in SCRIPTS)


def test_policy_allows_only_these_scripts_and_this_style(page: str) -> None:
    elements = Elements(page)
    policy = next(a["content"] for tag, a in elements.found if a.get("http-equiv") == "Content-Security-Policy")
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    texts = [(tag, text) for tag, text in elements.texts if not text.startswith("{")]
    hashes = {
        tag: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for tag, text in texts
    }
    assert (rules["script-src"], rules["style-src"]) == (hashes["script"], hashes["style"])
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "'self' data: file:"


def test_odd_names_stay_inside_the_json(page: str, report: Report) -> None:
    assert ODD not in page
    content = held(page)
    assert [m["name"] for m in content["protocols"][0]["methods"]] == list(METHODS)
    assert content["protocols"][0]["items"] == [item.id for item in report.protocols[0].items]


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "&lt;", "]]>", "é漢😀", "\\u003c", '"'])
def test_safe_json_reads_back(text: str) -> None:
    made = safe_json({text: [text, None, 1.5]})
    assert json.loads(made) == {text: [text, None, 1.5]}
    assert not set(made) & set("<>&\u2028\u2029")


def test_scores_of_pictures_are_columns(page: str) -> None:
    values = held(page)["protocols"][0]["values"]
    assert [len(values), len(values[0]), len(values[0][0])] == [3, 3, 150]
    assert values[0] == [[psnr_of(m, i) for i in range(150)] for m in range(3)]
    assert values[2] == [[None] * 150] * 3


def test_means_are_rounded_as_they_are_printed(page: str) -> None:
    protocol = held(page)["protocols"][0]
    assert protocol["methods"][0]["scores"] == [
        [24.13, 23.5, 25.25, 150],
        [1234, 1200, 1300, 150],
        [None, None, None, 0],
    ]
    assert [m["digits"] for m in protocol["metrics"]] == [2, 0, 2]
    assert [m["differenceDigits"] for m in protocol["metrics"]] == [4, 0, 2]
    assert [m["best"] for m in protocol["methods"]] == [[False] * 3, [True, True, False], [False] * 3]
    assert [m["marks"] for m in protocol["methods"]] == [[0, 0, 0], [0, 1, 0], [1, -1, 0]]
    assert [m["fewer"] for m in protocol["methods"]] == [[False] * 3, [False] * 3, [True, False, False]]


def test_scores_that_are_no_numbers_are_undefined() -> None:
    items = [
        ItemResult(id="a", scores={"x": {"m": float("nan")}}),
        ItemResult(id="b", scores={"x": {"m": float("inf")}}),
    ]
    base = of(1.0).model_copy(update={"items": items})
    methods = [base.methods[0].model_copy(update={"name": "x"})]
    made = html(Report(created="", versions={}, protocols=[base.model_copy(update={"methods": methods})]))
    assert held(made)["protocols"][0]["values"] == [[[None, None]]]


def test_linked_pictures_are_told_once_each(page: str, report: Report) -> None:
    content = held(page)
    assert not content["embedded"]
    assert len(content["files"]) == len(set(content["files"])) == 150 * 8 + 1  # two of the second protocol's are shared
    for protocol, source in zip(content["protocols"], report.protocols, strict=True):
        found = [{protocol["kinds"][k]: content["files"][f] for k, f in pictures} for pictures in protocol["pictures"]]
        assert found == [item.pictures for item in source.items]


def test_embedded_pictures_are_the_files(report: Report, folder: Path) -> None:
    content = held(html(report, embed=True, folder=folder))
    kinds, first = content["protocols"][0]["kinds"], content["protocols"][0]["pictures"][0]
    uris = {kinds[k]: content["files"][f] for k, f in first}
    for kind, path in report.protocols[0].items[0].pictures.items():
        start, _, data = uris[kind].partition(",")
        assert start == "data:image/png;base64"
        assert base64.b64decode(data) == (folder / path).read_bytes()


def test_pictures_that_cannot_be_embedded_are_named(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (inside / "text.png").write_text("not a picture")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "fine.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    paths = ["../secret.png", str(tmp_path / "secret.png"), "text.png", "link.png", "none.png", "nul\0.png", "fine.jpg"]
    content = held(html(_pictures(paths), embed=True, folder=inside))
    assert content["lost"] == [
        "../secret.png: lies outside the report's folder",
        f"{tmp_path / 'secret.png'}: lies outside the report's folder",
        "text.png: is neither a PNG nor a JPEG file",
        "link.png: lies outside the report's folder",
        "none.png: cannot be read",
        "nul\0.png: cannot be read",
    ]
    assert content["files"] == [None] * 6 + ["data:image/jpeg;base64,/9j/4A=="]


def _pictures(paths: list[str]) -> Report:
    item = ItemResult(id="a", scores={}, pictures={f"m/{i}": path for i, path in enumerate(paths)})
    protocol = blank(items=[item])
    return Report(created="", versions={}, protocols=[protocol])


def test_embedding_needs_a_folder(report: Report) -> None:
    with pytest.raises(AssertionError, match="need the folder"):
        html(report, embed=True)


def test_the_same_report_gives_the_same_page(report: Report, page: str) -> None:
    assert html(report) == page


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (b / 255 for b in bytes.fromhex(digits))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "accent", "better", "worse"])
@pytest.mark.parametrize("ground", ["paper", "soft", "tint"])
def test_text_is_legible(scheme: int, ink: str, ground: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    blocks = re.findall(r":root \{(.*?)\}", FILES.joinpath("page.css").read_text(), re.DOTALL)
    colours = dict(COLOURS.findall(blocks[scheme]))
    low, high = sorted((_luminance(colours[ink]), _luminance(colours[ground])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
