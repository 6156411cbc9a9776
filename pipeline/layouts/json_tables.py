"""Large JSON files, row by row: objects whose values are long arrays of small rows."""

import re
from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_decode = JSONDecoder().raw_decode


def read_tables(text: str, shrink: Callable[[str, Any], Any]) -> dict[str, list[Any]]:
    """The arrays at the top of the JSON object `text`, each row as `shrink(name, row)` leaves it.

    Rows are decoded one at a time: whole, they fill many times the file's size. Empty where `text` does not begin
    as an object. Raises JSONDecodeError where it is damaged.
    """
    at = _space(text, 0)
    tables: dict[str, list[Any]] = {}
    if text[at : at + 1] != "{":
        return tables
    at = _space(text, at + 1)
    if text[at : at + 1] != "}":
        at = _member(text, at, tables, shrink)
        while text[at : at + 1] == ",":
            at = _member(text, _space(text, at + 1), tables, shrink)
    if (end := _past(text, at, "}")) < len(text):
        raise JSONDecodeError("Extra data", text, end)
    return tables


def _member(text: str, at: int, tables: dict[str, list[Any]], shrink: Callable[[str, Any], Any]) -> int:
    if text[at : at + 1] != '"':
        raise JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    name, at = _decode(text, at)
    at = _past(text, at, ":")
    tables.pop(name, None)  # the last of a name counts
    if text[at : at + 1] == "[":
        tables[name], at = _rows(text, at, name, shrink)
    else:
        _, at = _decode(text, at)
    return _space(text, at)


def _rows(text: str, at: int, name: str, shrink: Callable[[str, Any], Any]) -> tuple[list[Any], int]:
    rows: list[Any] = []
    at = _space(text, at + 1)
    if text[at : at + 1] == "]":
        return rows, at + 1
    while True:
        row, at = _decode(text, at)
        rows.append(shrink(name, row))
        at = _space(text, at)
        if text[at : at + 1] == "]":
            return rows, at + 1
        at = _past(text, at, ",")


def _past(text: str, at: int, mark: str) -> int:
    at = _space(text, at)
    if text[at : at + 1] != mark:
        raise JSONDecodeError(f"Expecting {mark!r} delimiter", text, at)
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None, "the pattern matches nothing too"
    return found.end()
