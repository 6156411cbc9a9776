"""Markdown, read back by another parser."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evaluation.report.markdown import escape, markdown
from evaluation.results import ItemResult, Left, Report
from tests.evaluation.report.example import COUNT, METHODS, ODD, ODD_ID, REFERENCE, SLASH, blank

PARSER = MarkdownIt("commonmark").enable("table")
Table = list[list[str]]


def plain(inline: list) -> str:
    """Text of inline tokens; `**` where text is strong; anything else than text is a failure."""
    marks = {"text": None, "strong_open": "**", "strong_close": "**", "code_inline": None, "softbreak": "\n"}
    return "".join(token.content if marks[token.type] is None else marks[token.type] for token in inline)


def tables(text: str) -> list[Table]:
    """All tables of a document, by rows of cells; the first row is the head."""
    found: list[Table] = []
    for token in PARSER.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and token.level == 4:  # table, head or body, row, cell
            found[-1][-1].append(plain(token.children or []))
    return found


def blocks(text: str, kind: str) -> list[str]:
    """Texts of all blocks of a kind, such as "heading"."""
    tokens = PARSER.parse(text)
    return [plain(tokens[i + 1].children or []) for i, token in enumerate(tokens) if token.type == f"{kind}_open"]


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return markdown(report)


@pytest.fixture(scope="module")
def scores(text: str) -> Table:
    return next(table for table in tables(text) if table[0][0] == "removal-<odd>@3")


def numbers(cell: str) -> list[float]:
    found = re.match(r"(?:\*\*)?(-?[\d.]+)(?:\*\*)? \[(-?[\d.]+), (-?[\d.]+)\]", cell)
    assert found, cell
    return [float(number) for number in found.groups()]


def test_headings(text: str) -> None:
    assert blocks(text, "heading") == ["Evaluation", "removal-<odd>@3", "extraction@1", "Versions"]


def test_every_table_names_its_protocol(text: str) -> None:
    heads = [table[0][0] for table in tables(text)]
    assert heads == [
        "removal-<odd>@3",
        f"removal-<odd>@3, minus {REFERENCE}",
        "removal-<odd>@3: left out of",
        "extraction@1",
    ]


def test_columns_tell_unit_and_direction(scores: Table) -> None:
    assert scores[0][1:] == ["psnr.mask (dB) ↑", "sad ↓", "empty ↑", "pictures"]


def test_numbers_read_back(report: Report, scores: Table) -> None:
    for row, method in zip(scores[1:], report.protocols[0].methods, strict=True):
        for cell, (metric, places) in zip(row[1:], (("psnr.mask", 2), ("sad", 0)), strict=False):
            score = method.scores[metric]
            expected = [score.mean, score.low, score.high]
            assert numbers(cell) == pytest.approx(expected, abs=0.5 * 10**-places)


def test_names_read_back_on_one_line(scores: Table) -> None:
    assert [row[0] for row in scores[1:]] == list(METHODS)


def test_undefined_scores_are_a_dash(scores: Table) -> None:
    assert [row[3] for row in scores[1:]] == ["–", "–", "–"]


def test_best_marks_and_counts(scores: Table) -> None:
    # the last method has the highest mean, but of 135 pictures only; a SAD of 0 is best
    assert [row[1] for row in scores[1:]] == [
        "24.13 [23.50, 25.25]",
        "**26.50** [26.00, 27.00]",
        "27.00 [26.50, 27.50] † n = 135",
    ]
    assert [row[2] for row in scores[1:]] == [
        "1234 [1200, 1300]",
        "**0** [0, 0] †",
        "990 [900, 1000] ‡",
    ]
    assert [row[4] for row in scores[1:]] == [str(COUNT), str(COUNT), f"{COUNT - 15} (15 failed)"]


def test_paired_differences(text: str) -> None:
    table = tables(text)[1]
    assert [row[0] for row in table[1:]] == [ODD, SLASH]
    assert [row[1] for row in table[1:]] == ["2.3740 [-0.5000, 4.0000]", "0.0120 [0.0004, 0.0300] †"]
    assert [row[2] for row in table[1:]] == ["-1234 [-1300, -1200] †", "244 [100, 300] ‡"]
    assert [row[3] for row in table[1:]] == ["–", "–"]


def test_what_was_left_out_is_grouped_with_reasons(text: str) -> None:
    table = tables(text)[2]
    assert table[1] == ["all", "12", "….clean.png: cut short", ", ".join(f"x{i}" for i in range(10)) + ", and 2 more"]
    assert table[2] == [SLASH, "1", "p003 took | too long", "p003"]
    assert "Nothing was left out." in blocks(text, "paragraph")


def test_settings_counts_and_keys(text: str) -> None:
    paragraphs = blocks(text, "paragraph")
    assert "Task removal: One line with a break, <b>tags</b> and a [link](x)." in paragraphs
    for line in (
        "data: our own",
        "ring | px: 8",
        "pictures: 150 scored, 12 of the data left out",
        f"method {ODD}: key <1>",
    ):
        assert line in paragraphs


def test_definitions_and_versions(text: str) -> None:
    paragraphs = blocks(text, "paragraph")
    assert "**psnr.mask**: PSNR in mask (dB, higher is better). Peak < 255 & so." in paragraphs
    assert "**sad**: SAD (lower is better). Sum of | differences |." in paragraphs
    assert paragraphs[-2:] == ["numpy 2.0", "c*v <5>"]


def test_times_are_told_where_predictions_were_made(text: str) -> None:
    head, row = tables(text)[3]
    assert head == ["extraction@1", "sad ↓", "pictures", "s per picture"]
    assert row == ["a", "**0.500** [0.250, 0.750]", "1", "0.0123"]


def test_no_raw_html_or_links(text: str) -> None:
    kinds = {child.type for token in PARSER.parse(text) for child in token.children or []}
    assert kinds <= {"text", "strong_open", "strong_close", "code_inline"}
    assert not any(token.type == "html_block" for token in PARSER.parse(text))


def test_an_empty_report() -> None:
    text = markdown(Report(created="now", versions={}, protocols=[]))
    assert blocks(text, "heading") == ["Evaluation", "Versions"]
    assert blocks(text, "paragraph")[-1] == "None were noted."


def test_a_protocol_without_methods_or_pictures() -> None:
    bare = blank()
    text = markdown(Report(created="now", versions={}, protocols=[bare]))
    assert tables(text) == [[["p@1", "pictures"]]]
    assert "pictures: 0 scored, 0 of the data left out" in blocks(text, "paragraph")


def test_a_picture_left_out_twice_counts_once() -> None:
    twice = [Left(id="a", reason="no mask"), Left(id="a", reason="no truth"), Left(id="b", reason="late", method="m")]
    bare = blank(left=twice, items=[ItemResult(id=ODD_ID, scores={})])
    text = markdown(Report(created="now", versions={}, protocols=[bare]))
    assert "pictures: 1 scored, 1 of the data left out" in blocks(text, "paragraph")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1))
def test_any_words_read_back_from_a_cell(words: str) -> None:
    table = f"| head |\n| --- |\n| x{escape(words)}x |"
    assert tables(table)[0][1] == [f"x{' '.join(words.split())}x"]
