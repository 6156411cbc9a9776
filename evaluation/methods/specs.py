"""How methods are named: as text, or as a table of a TOML file.

telea                       a kind
folder:PATH                 a kind and its path
model:FOLDER?steps=8&seed=1 with options

{name = "ours", kind = "model", path = "weights/nano-adapt", steps = 8}
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from evaluation.errors import EvalError


class Spec(NamedTuple):
    """A method as it was asked for: `name` is what reports call it."""

    name: str
    kind: str
    options: dict[str, Any]


def read_spec(spec: str | Mapping[str, Any]) -> Spec:
    """The parts of a text or a table. A text is its own name; so is, for a table without one, the text it stands for.

    In a text, what comes after the first colon is the option `path`, and options follow a question mark; a path or a
    value with `?` or `&` needs a table. Raises EvalError for what is neither; kinds and options are not looked at.
    """
    return _text(spec) if isinstance(spec, str) else _table(dict(spec))


def _text(spec: str) -> Spec:
    head, mark, query = spec.partition("?")
    kind, colon, path = head.partition(":")
    options: dict[str, Any] = {"path": path} if colon else {}
    for part in query.split("&") if mark else ():
        key, equals, value = part.partition("=")
        if not key or not equals:
            raise EvalError(f"method '{spec}': options must be KEY=VALUE, joined by &; one is {part!r}")
        if key in options:
            raise EvalError(f"method '{spec}': option '{key}' is given twice")
        options[key] = value
    return Spec(spec, kind, options)


def _table(table: dict[str, Any]) -> Spec:
    kind, name = table.pop("kind", None), table.pop("name", None)
    if not isinstance(kind, str):
        raise EvalError(f"method {name or table}: kind must be the name of a kind, {_told(kind)}")
    if name is None:
        return Spec(_as_text(kind, table), kind, table)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise EvalError(f"method '{kind}': name must be a text on one line, is {name!r}")
    return Spec(name, kind, table)


def _told(kind: object) -> str:
    return "is missing" if kind is None else f"is {kind!r}"


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_text(kind: str, options: dict[str, Any]) -> str:
    path = f":{options['path']}" if "path" in options else ""
    rest = [f"{key}={_value(value)}" for key, value in options.items() if key != "path"]
    return f"{kind}{path}{'?' if rest else ''}{'&'.join(rest)}"
