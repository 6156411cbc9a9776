"""The licence gate: an allow-list of SPDX expressions."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from license_expression import get_spdx_licensing


@cache
def spdx() -> Any:
    """The SPDX licence list and its parser. Loading it takes 50 ms."""
    return get_spdx_licensing()


@cache
def _parse(expression: str) -> Any:
    return spdx().parse(expression, validate=True).simplify()


def allowed(expression: str, allow: Sequence[str]) -> bool:
    """Whether the terms of `expression` can be met with licences of `allow` (OR: any part, AND: every part)."""
    permitted = {_parse(entry) for entry in allow}
    return _meets(_parse(expression), permitted)


def _meets(node: Any, permitted: set[Any]) -> bool:
    if node in permitted:
        return True
    parts = getattr(node, "args", ())
    operator = type(node).__name__
    if operator == "OR":
        return any(_meets(part, permitted) for part in parts)
    return operator == "AND" and all(_meets(part, permitted) for part in parts)
