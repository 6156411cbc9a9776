"""Every mistake in settings becomes one line that names file, key, bound and value."""

import re
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from stages.settings import ManifestError, did_you_mean, parse, parse_toml
from stages.types import Frozen


class Inner(Frozen):
    """A table inside others."""

    depth: int = Field(1, ge=1, le=9)
    shape: Literal["round", "square"] = "round"


class Outer(Frozen):
    """A table that holds another in every way in which ours do."""

    name: str
    one: Inner = Inner()
    maybe: Inner | None = None
    older: Optional[Inner] = None  # noqa: UP045 - both spellings of it are understood
    many: tuple[Inner, ...] = Field((), max_length=3)
    bounded: tuple[Annotated[Inner, Field()], ...] = Field((Inner(),), min_length=1)
    listed: list[Inner] = []
    named: dict[str, Inner] = {}
    pair: tuple[float, float] = (0.0, 1.0)

    @model_validator(mode="after")
    def _ordered(self) -> "Outer":
        if self.pair[0] > self.pair[1]:
            raise ValueError(f"The pair {self.pair} is not in order")
        return self


def error_of(data: dict[str, Any]) -> str:
    with pytest.raises(ManifestError) as caught:
        parse(Outer, {"name": "x", **data}, "a.toml")
    return str(caught.value)


def test_what_is_right_comes_back_as_the_model() -> None:
    found = parse(Outer, parse_toml('name = "x"\n[one]\ndepth = 3\n[[many]]\nshape = "square"\n', "a.toml"), "a.toml")
    assert found == Outer(name="x", one=Inner(depth=3), many=(Inner(shape="square"),))


WRONG = [
    ({"one": {"depth": 0}}, "one.depth: input should be greater than or equal to 1 (got 0)"),
    ({"one": {"depth": 10}}, "one.depth: input should be less than or equal to 9 (got 10)"),
    ({"one": {"shape": "flat"}}, "one.shape: input should be 'round' or 'square' (got 'flat')"),
    ({"one": 3}, "one: must be a table (got 3)"),
    ({"named": 3}, "named: must be a table (got 3)"),
    ({"many": "x"}, "many: must be a list (got 'x')"),
    ({"many": [{}] * 4}, "many: takes 3 of them at most, has 4 (got [{}, {}, {}, {}])"),
    ({"bounded": []}, "bounded: needs at least 1 of them, has 0 (got [])"),
    ({"many": [{}, {"depth": -1}]}, "many[1].depth: input should be greater than or equal to 1 (got -1)"),
    ({"pair": [1.0]}, "pair[1]: this number is missing"),
    ({"pair": [2.0, 1.0]}, "the pair (2.0, 1.0) is not in order"),
    ({"nmae": 1}, "nmae: unknown key; did you mean 'name'?"),
]


@pytest.mark.parametrize(("data", "text"), WRONG)
def test_a_mistake_is_one_line(data: dict[str, Any], text: str) -> None:
    assert error_of(data) == f"a.toml: {text}"


def test_a_missing_key() -> None:
    with pytest.raises(ManifestError, match=r"^a\.toml: name: this key is missing$"):
        parse(Outer, {}, "a.toml")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"one": {"deph": 1}}, "one.deph"),
        ({"maybe": {"deph": 1}}, "maybe.deph"),
        ({"older": {"deph": 1}}, "older.deph"),
        ({"many": [{}, {"deph": 1}]}, "many[1].deph"),
        ({"bounded": [{"deph": 1}]}, "bounded[0].deph"),
        ({"listed": [{"deph": 1}]}, "listed[0].deph"),
        ({"named": {"deph": {"deph": 1}}}, "named.deph.deph"),
    ],
)
def test_an_unknown_key_anywhere_gets_the_nearest_known_one(data: dict[str, Any], key: str) -> None:
    assert error_of(data) == f"a.toml: {key}: unknown key; did you mean 'depth'?"


def test_a_key_near_to_none_gets_all_of_that_table() -> None:
    assert error_of({"one": {"zzz": 1}}) == "a.toml: one.zzz: unknown key; choose from depth, shape"


def test_all_mistakes_are_told_at_once_each_with_the_file() -> None:
    assert error_of({"one": {"depth": 0}, "nmae": 1}).split("\n") == [
        "a.toml: one.depth: input should be greater than or equal to 1 (got 0)",
        "a.toml: nmae: unknown key; did you mean 'name'?",
    ]


def test_a_list_that_is_short_of_its_wrong_entries_is_not_called_short() -> None:
    assert "needs at least" not in error_of({"bounded": [{"depth": 0}]})


@given(st.recursive(st.integers() | st.text(), lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x)))
def test_whatever_a_table_holds_the_error_is_ours(value: Any) -> None:
    for key in ("one", "maybe", "older", "many", "bounded", "listed", "named", "name"):
        try:
            parse(Outer, {"name": "x", key: value}, "a.toml")
        except ManifestError as error:
            assert str(error).startswith(f"a.toml: {key}")  # noqa: PT017 - most values are wrong, some are right


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = 1\na = 2\n", "line 2"), ("a = \n", "line 1"), ("[a\n", "line 1"), ("x", "end of document")],
)
def test_text_that_is_not_toml(text: str, place: str) -> None:
    with pytest.raises(ManifestError, match=rf"^a\.toml: not valid TOML: [^\n]*{re.escape(place)}[^\n]*$"):
        parse_toml(text, "a.toml")


def test_did_you_mean() -> None:
    assert did_you_mean("ligth", ["light", "dark"]) == "; did you mean 'light'?"
    assert did_you_mean("zzz", ["light", "dark"]) == "; choose from dark, light"
    assert did_you_mean("ligth", (word for word in ("light", "dark"))) == "; did you mean 'light'?"
