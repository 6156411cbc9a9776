"""The licence gate: an allow-list of SPDX expressions."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from license_expression import get_spdx_licensing


@cache
def spdx() -> Any:
    """The SPDX licence list and its parser. Loading it takes 50 ms."""
    return get_spdx_licensing()


@cache
def _parse(expression: str) -> Any:
    # Not validated: manifests were, and what a data set says of its rows may be no known licence.
    return spdx().parse(expression).simplify()


def allowed(expression: str, allow: Sequence[str]) -> bool:
    """Whether the terms of `expression` can be met with licences of `allow` (OR: any part, AND: every part)."""
    permitted = {_parse(entry) for entry in allow}
    return _meets(_parse(expression), permitted)


def bracketed(expression: str) -> str:
    """The expression as it must stand inside an AND, which binds tighter than OR."""
    return f"({expression})" if re.search(r"(?<![\w.-])OR(?![\w.-])", expression, re.IGNORECASE) else expression


def together(expressions: Iterable[str]) -> str:
    """The licence of a work made of works under these: all of them, each once, in alphabetical order."""
    return " AND ".join(sorted({bracketed(e) for e in expressions}))


def text_address(expression: str) -> str | None:
    """Address of a licence's text, where the expression is one identifier."""
    simple = " " not in expression and "(" not in expression
    return f"https://spdx.org/licenses/{expression}.html" if simple else None


def _meets(node: Any, permitted: set[Any]) -> bool:
    if node in permitted:
        return True
    parts = getattr(node, "args", ())
    operator = type(node).__name__
    if operator == "OR":
        return any(_meets(part, permitted) for part in parts)
    return operator == "AND" and all(_meets(part, permitted) for part in parts)
