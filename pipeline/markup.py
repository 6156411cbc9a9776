"""Markup: plain values as YAML, TOML and Markdown, as far as a data-set card needs them.

YAML 1.2 block style with strings quoted as in JSON (chapter 7.3.1 takes JSON's escapes); TOML 1.0.0.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def yaml(value: Any, indent: int = 0) -> str:
    """Dicts, lists, strings, finite numbers and booleans as YAML lines. No dict or list is empty."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        return "".join(f"{pad}{key}:{_yaml_under(item, indent)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "".join(f"{pad}- {yaml(item, indent + 1).lstrip(' ')}" for item in value)
    return f"{pad}{scalar(value)}\n"


def _yaml_under(item: Any, indent: int) -> str:
    deeper = isinstance(item, Mapping | list | tuple)
    return "\n" + yaml(item, indent + 1) if deeper else " " + yaml(item)


def scalar(value: Any) -> str:
    """A string, number or boolean, written as both YAML and TOML read it."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and "." not in text:
        text = text.replace("e", ".0e")  # YAML 1.1 takes 1e-05 for a string
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(c: str) -> str:
    return f"\\u{ord(c):04x}" if c < "\U00010000" else f"\\U{ord(c):08x}"  # JSON would write two surrogates


def toml(table: Mapping[str, Any], path: str = "") -> str:
    """A table as TOML: its plain values, then its tables, then its arrays of tables. None is left out."""
    plain, tables, arrays = [], [], []
    for key, item in table.items():
        if isinstance(item, Mapping):
            name = f"{path}{_toml_key(key)}"
            tables.append(f"\n[{name}]\n{toml(item, name + '.')}")
        elif isinstance(item, list | tuple) and item and isinstance(item[0], Mapping):
            name = f"{path}{_toml_key(key)}"
            arrays += [f"\n[[{name}]]\n{toml(entry, name + '.')}" for entry in item]
        elif item is not None:
            plain.append(f"{_toml_key(key)} = {_toml_value(item)}\n")
    return "".join([*plain, *tables, *arrays])


def _toml_key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else scalar(key)


def _toml_value(item: Any) -> str:
    return f"[{', '.join(map(scalar, item))}]" if isinstance(item, list | tuple) else scalar(item)


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)
