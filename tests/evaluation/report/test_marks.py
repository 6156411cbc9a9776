"""Digits, best means, verdicts and groups, by hand."""

import math

import pytest

from evaluation.report.marks import (
    BETTER,
    OPEN,
    WORSE,
    best,
    citation,
    difference_digits,
    digits,
    fewer,
    grouped,
    known,
    text,
    verdict,
)
from evaluation.results import Left, MethodResult, MetricInfo, ProtocolResult, Score
from tests.evaluation.report.example import blank

UP = MetricInfo(name="m", title="M", higher_is_better=True, definition="d")
DOWN = UP.model_copy(update={"higher_is_better": False})


def score(mean: float | None, low: float | None = None, high: float | None = None, count: int = 10) -> Score:
    return Score(mean=mean, low=mean if low is None else low, high=mean if high is None else high, count=count)


def method(name: str, mean: Score | None, difference: Score | None = None) -> MethodResult:
    differences = {} if difference is None else {"m": difference}
    return MethodResult(name=name, key="", scores={} if mean is None else {"m": mean}, differences=differences)


def protocol(*methods: MethodResult) -> ProtocolResult:
    return blank(revision=2, metrics=[UP], methods=list(methods))


def of(*means: float | None) -> ProtocolResult:
    return protocol(*(method(str(i), score(mean)) for i, mean in enumerate(means)))


def test_a_number_is_cited_by_name_and_revision() -> None:
    assert citation(of()) == "p@2"


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((24.1, 25.3), 2),  # decibels
        ((24.1, 25.3, 100.0), 2),  # one perfect score takes no digits from the others
        ((3.2,), 2),
        ((0.92, 0.95), 3),  # similarities
        ((0.052, 0.071), 4),
        ((0.00052,), 6),
        ((0.9, 0.8, 0.0123), 3),
        ((0.9, 0.8, 0.00123), 4),  # two significant digits of the least
        ((0.9, 0.8, 1e-9), 5),  # but two more digits at most
        ((123.4,), 2),
        ((12345.0,), 0),
        ((-24.1,), 2),
        ((0.0,), 2),
        ((None, math.nan, math.inf), 2),
        ((), 2),
    ],
)
def test_digits(means: tuple[float | None, ...], expected: int) -> None:
    assert digits(of(*means), "m") == expected


def test_a_difference_that_counts_is_not_printed_with_zero_as_a_bound() -> None:
    reference = method("r", score(0.95))
    assert difference_digits(protocol(reference, method("a", score(0.95), score(0.02, 0.01, 0.03))), UP) == 3
    assert difference_digits(protocol(reference, method("a", score(0.95), score(0.002, 0.0004, 0.03))), UP) == 4
    assert difference_digits(protocol(reference, method("a", score(0.95), score(-0.002, -0.1, -0.00004))), UP) == 5
    assert difference_digits(protocol(reference, method("a", score(0.95), score(1e-9, 1e-10, 1e-8))), UP) == 5
    assert difference_digits(protocol(reference, method("a", score(0.95), score(0.00002, -0.0001, 0.1))), UP) == 3


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (24.126, 2, "24.13"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (1234.5, 0, "1234"), (0.1, 3, "0.100"),
        (None, 2, "–"), (math.nan, 2, "–"), (math.inf, 2, "–"),
    ],
)  # fmt: skip
def test_text(value: float | None, places: int, expected: str) -> None:
    assert text(value, places) == expected


def test_known() -> None:
    assert [known(v) for v in (0.0, -3.5, None, math.nan, -math.inf)] == [True, True, False, False, False]


def test_best_is_the_highest_or_the_lowest_mean() -> None:
    assert best(of(1.0, 3.0, 2.0), UP) == {"1"}
    assert best(of(1.0, 3.0, 2.0), DOWN) == {"0"}


def test_means_that_print_alike_are_best_together() -> None:
    assert best(of(24.1241, 24.1159, 24.1), UP) == {"0", "1"}
    assert best(of(24.1241, 24.1149, 24.1), UP) == {"0"}


def test_a_method_scored_on_fewer_pictures_is_not_best() -> None:
    some = protocol(method("all", score(20.0)), method("easy ones", score(30.0, count=9)))
    assert best(some, UP) == {"all"}
    assert [fewer(some, "m", m.scores["m"]) for m in some.methods] == [False, True]


def test_nothing_is_best_where_nothing_is_known() -> None:
    assert best(protocol(method("a", score(None, count=0)), method("b", None)), UP) == set()


@pytest.mark.parametrize(
    ("low", "high", "higher", "lower"),
    [(0.1, 0.3, BETTER, WORSE), (-0.3, -0.1, WORSE, BETTER), (-0.1, 0.1, OPEN, OPEN), (0.0, 0.2, OPEN, OPEN)],
)
def test_verdict(low: float, high: float, higher: int, lower: int) -> None:
    judged = method("a", score(1.0), score((low + high) / 2, low, high))
    assert verdict(judged, UP) == higher
    assert verdict(judged, DOWN) == lower


def test_no_verdict_without_an_interval() -> None:
    assert verdict(method("reference", score(1.0)), UP) == OPEN
    assert verdict(method("a", score(1.0), Score(mean=None, low=None, high=None, count=0)), UP) == OPEN


def test_reasons_that_differ_in_the_id_are_one_group() -> None:
    left = [
        Left(id="a1", reason="d/a1.png: cut short"),
        Left(id="b1", reason="b1.mask.png: 1 of 12 rows", method="net"),
        Left(id="a2", reason="d/a2.png: cut short"),
        Left(id="a2", reason="d/a2.png: cut short", method="net"),
    ]
    assert grouped(left) == [
        ("", "d/….png: cut short", ["a1", "a2"]),
        ("net", "b1.mask.png: 1 of 12 rows", ["b1"]),
        ("net", "d/a2.png: cut short", ["a2"]),
    ]


def test_an_id_is_not_taken_out_of_longer_words() -> None:
    left = [Left(id="1", reason="1: 12 pixels"), Left(id="2", reason="2: 12 pixels"), Left(id="", reason="all gone")]
    assert grouped(left) == [("", "…: 12 pixels", ["1", "2"]), ("", "all gone", [""])]
