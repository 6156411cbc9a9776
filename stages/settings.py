"""Settings: TOML text to a checked model; every mistake becomes one line that names file, key, bound and value.

Files are read by the callers, who pass their text and a name for the messages.
"""

import difflib
import tomllib
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_TEXTS = {
    "too_short": "needs at least {min_length} of them, has {actual_length}",
    "too_long": "takes {max_length} of them at most, has {actual_length}",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
}


class ManifestError(ValueError):
    """A manifest or configuration that cannot be used; the text names file, key, bound and value."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """'; did you mean X?' when a choice is near, else the list of choices."""
    choices = list(choices)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; choose from {', '.join(sorted(choices))}"


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """The tables of `text`. Raises ManifestError, which says where, for text that is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{name}: not valid TOML: {error}") from None


def parse(model: type[Model], data: dict[str, Any], name: str) -> Model:
    """`data` as a `model`.

    Raises:
        ManifestError: unknown or missing keys, wrong values. All of them are told, each on a line that begins with
            `name`; an unknown key comes with the nearest known one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        lines = [_explain(model, dict(e)) for e in _causes([dict(e) for e in error.errors()])]
        raise ManifestError(f"{name}: " + f"\n{name}: ".join(lines)) from None


def _causes(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without "too short" for a list that only lost the entries that have an error of their own."""
    places = [e["loc"] for e in errors]
    return [
        e
        for e in errors
        if e["type"] != "too_short" or not any(p != e["loc"] and p[: len(e["loc"])] == e["loc"] for p in places)
    ]


def _explain(model: type[BaseModel], error: dict[str, Any]) -> str:
    where = [p for p in error["loc"] if p != "[key]"]
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(str(where[-1]), _keys(model, where[:-1]))}"
    if error["type"] == "missing":
        return f"{key}: this {'number' if isinstance(where[-1], int) else 'key'} is missing"
    text = _TEXTS.get(error["type"], error["msg"]).format(**error.get("ctx", {})).removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict | BaseModel) else f" (got {error['input']!r})"
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}{shown}"


def _keys(model: type[BaseModel], where: list[Any]) -> list[str]:
    """Names of the keys that the table at `where` knows. No field is a choice between two kinds of table."""
    current: Any = model
    for part in where:
        if get_origin(current) in (dict, list, tuple):
            current = _bare(get_args(current)[-1 if get_origin(current) is dict else 0])
        else:
            current = _bare(current.model_fields[part].annotation)
    return list(current.model_fields)


def _bare(annotation: Any) -> Any:
    """A type without its bounds (`Annotated`) and without `None` beside it."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = next(a for a in get_args(annotation) if a is not NoneType)
    return annotation
