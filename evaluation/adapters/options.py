"""Options of adapters, checked before anything is opened."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, ParamSpec, get_args, get_origin, get_type_hints

from evaluation.errors import EvalError
from evaluation.sample import Dataset
from stages.settings import did_you_mean

P = ParamSpec("P")


def adapter(opening: Callable[P, Dataset]) -> Callable[P, Dataset]:
    """Check what `open_<name>(root, **options)` is given by its own annotations: int from 0, bool, str, Literal.

    Raises EvalError for a root that is not there, an unknown option, and a value of another kind; the text names
    adapter, option, choices and value.
    """
    name = opening.__name__.removeprefix("open_")

    @functools.wraps(opening)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Dataset:
        kinds = get_type_hints(opening)
        known = [p for p in inspect.signature(opening).parameters if p != "root"]
        for option, value in kwargs.items():
            if option not in known:
                near = did_you_mean(option, known) if known else "; it has none"
                raise EvalError(f"adapter '{name}': unknown option '{option}'{near}")
            if said := _wrong(value, kinds[option]):
                raise EvalError(f"adapter '{name}': option '{option}' {said}")
        root = args[0]
        if not (isinstance(root, Path) and root.is_dir()):
            raise EvalError(f"{root}: no such folder")
        return opening(*args, **kwargs)

    return checked


def _wrong(value: Any, kind: Any) -> str:
    """What is wrong with a value, or ""."""
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if value in choices:
            return ""
        return f"must be one of {', '.join(map(repr, choices))}, is {value!r}"
    if kind is int:
        return "" if type(value) is int and value >= 0 else f"must be a whole number from 0, is {value!r}"
    return "" if type(value) is kind else f"must be of type {kind.__name__}, is {value!r}"
