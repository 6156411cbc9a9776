"""The licence gate against a brute-force reading of the expressions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.licenses import allowed, bracketed, together

NAMES = ("MIT", "Apache-2.0", "CC0-1.0", "GPL-2.0-only", "CC-BY-SA-4.0")


@pytest.mark.parametrize(
    ("expression", "allow", "verdict"),
    [
        ("MIT", ["MIT"], True),
        ("MIT", ["Apache-2.0"], False),
        ("MIT", [], False),
        ("mit", ["MIT"], True),
        ("MIT OR Apache-2.0", ["MIT"], True),
        ("MIT OR Apache-2.0", ["Apache-2.0"], True),
        ("MIT OR Apache-2.0", ["CC0-1.0"], False),
        ("MIT AND Apache-2.0", ["MIT"], False),
        ("MIT AND Apache-2.0", ["MIT", "Apache-2.0"], True),
        ("MIT AND (CC0-1.0 OR Apache-2.0)", ["MIT", "Apache-2.0"], True),
        ("MIT AND (CC0-1.0 OR Apache-2.0)", ["CC0-1.0", "Apache-2.0"], False),
        ("(MIT AND Apache-2.0) OR CC0-1.0", ["CC0-1.0"], True),
        ("MIT AND Apache-2.0", ["Apache-2.0 AND MIT"], True),
        # A later or narrower version is another licence.
        ("GPL-2.0-only", ["GPL-2.0-or-later"], False),
        ("GPL-2.0-or-later", ["GPL-2.0-only"], False),
        ("CC-BY-SA-3.0", ["CC-BY-SA-4.0"], False),
        ("CC-BY-NC-SA-4.0", ["CC-BY-SA-4.0"], False),
        # Deprecated names mean what SPDX says they mean.
        ("GPL-2.0+", ["GPL-2.0-or-later"], True),
        ("GPL-2.0-or-later", ["GPL-2.0+"], True),
        ("GPL-2.0", ["GPL-2.0-only"], True),
        ("GPL-2.0", ["GPL-2.0-or-later"], False),
        # An exception is allowed only by its name: it could also restrict.
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0-only WITH Classpath-exception-2.0"], True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ["GPL-2.0-only"], False),
        ("GPL-2.0-only", ["GPL-2.0-only WITH Classpath-exception-2.0"], False),
        ("MIT OR GPL-2.0-only WITH Classpath-exception-2.0", ["MIT"], True),
    ],
)
def test_verdict(expression: str, allow: list[str], verdict: bool) -> None:
    assert allowed(expression, allow) is verdict


Tree = str | tuple[str, list["Tree"]]

trees = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
    max_leaves=6,
)
allow_lists = st.lists(st.sampled_from(NAMES), unique=True)


def written(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    return f"({f' {tree[0]} '.join(written(part) for part in tree[1])})"


def meets(tree: Tree, allow: list[str]) -> bool:
    if isinstance(tree, str):
        return tree in allow
    return (all if tree[0] == "AND" else any)(meets(part, allow) for part in tree[1])


@given(trees, allow_lists)
def test_and_or_mean_all_any(tree: Tree, allow: list[str]) -> None:
    assert allowed(written(tree), allow) is meets(tree, allow)


@given(trees, allow_lists, st.sampled_from(NAMES))
def test_a_longer_list_never_forbids(tree: Tree, allow: list[str], more: str) -> None:
    assert not allowed(written(tree), allow) or allowed(written(tree), [*allow, more])


@given(trees, st.permutations(NAMES[:3]))
def test_the_order_of_the_list_is_irrelevant(tree: Tree, allow: list[str]) -> None:
    assert allowed(written(tree), allow) is allowed(written(tree), sorted(allow))


def test_every_licence_of_a_conjunction_is_needed() -> None:
    expression = " AND ".join(NAMES)
    assert allowed(expression, NAMES)
    for kept in itertools.combinations(NAMES, len(NAMES) - 1):
        assert not allowed(expression, kept)


@given(st.lists(trees, min_size=1, max_size=4), allow_lists)
def test_together_means_all_of_them(parts: list[Tree], allow: list[str]) -> None:
    texts = [written(part).removeprefix("(").removesuffix(")") if _flat(part) else written(part) for part in parts]
    assert allowed(together(texts), allow) is all(meets(part, allow) for part in parts)


def _flat(tree: Tree) -> bool:
    return not isinstance(tree, str) and all(isinstance(part, str) for part in tree[1])


def test_together_is_written_plainly() -> None:
    assert together(["MIT", "CC0-1.0", "MIT"]) == "CC0-1.0 AND MIT"
    assert together(["MIT OR Apache-2.0", "CC0-1.0"]) == "(MIT OR Apache-2.0) AND CC0-1.0"
    assert bracketed("MIT or Apache-2.0") == "(MIT or Apache-2.0)"
    assert bracketed("LPPL-1.3c") == "LPPL-1.3c"
    assert bracketed("GPL-2.0-or-later") == "GPL-2.0-or-later"
    assert together(["MIT", "GPL-2.0-or-later", "MIT OR ISC"]) == "(MIT OR ISC) AND GPL-2.0-or-later AND MIT"
    assert bracketed("GPL-2.0-only WITH Classpath-exception-2.0") == "GPL-2.0-only WITH Classpath-exception-2.0"
