"""YAML and TOML against their own readers."""

import tomllib

import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.markup import markdown, toml, yaml

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.from_regex(r"k[a-z_]{0,6}", fullmatch=True)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.one_of(TEXT, st.integers(-(2**53), 2**53), st.booleans(), NUMBER)


def nested(leaves: st.SearchStrategy) -> st.SearchStrategy:
    def deeper(inner: st.SearchStrategy) -> st.SearchStrategy:
        tables = st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        return st.one_of(tables, st.lists(inner, min_size=1, max_size=3))

    return st.recursive(leaves, deeper, max_leaves=8)


@given(st.dictionaries(NAMES, nested(PLAIN), min_size=1, max_size=4))
def test_yaml_is_read_back(value: dict) -> None:
    assert pyyaml.safe_load(yaml(value)) == value


TABLE = st.deferred(lambda: st.dictionaries(st.one_of(NAMES, TEXT), ENTRY, max_size=3))
ENTRY = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), TABLE, st.lists(TABLE, min_size=1, max_size=2))


@given(TABLE)
def test_toml_is_read_back(value: dict) -> None:
    assert tomllib.loads(toml(value)) == value


def test_toml_leaves_none_out() -> None:
    assert toml({"a": None, "b": {"c": None, "d": 1}}) == "\n[b]\nd = 1\n"


def test_markdown_escapes_bars() -> None:
    assert markdown(("x", "y"), [("a|b", "")]) == "| x | y |\n| --- | --- |\n| a\\|b |  |\n"
