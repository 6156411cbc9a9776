"""A test set as a list of ids and a function that makes the item of one."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from evaluation.errors import EvalError
from evaluation.sample import Item, Missing
from stages.decode import DecodeError

T = TypeVar("T")


class Listed:
    """`make(id)` returns the item, or raises DecodeError, whose text is the reason that it is missing.

    An id may hold slashes: it is a relative path without suffix. Raises EvalError for one that is not.
    """

    def __init__(self, ids: Iterable[str], make: Callable[[str], Item]) -> None:
        self.ids: Sequence[str] = tuple(sorted(ids))
        self._known, self._make = frozenset(self.ids), make
        assert len(self._known) == len(self.ids), "an id twice"
        for id in self.ids:
            if not id.isprintable() or any(part in ("", ".", "..") for part in id.split("/")):
                raise EvalError(f"{id!r} is no id of an item: it must be a relative path")

    def read(self, id: str) -> Item | Missing:
        """The item of one of `ids`, or why it cannot be read."""
        assert id in self._known, f"no id {id!r}"
        try:
            return self._make(id)
        except DecodeError as error:
            return Missing(id, str(error))


def unique(named: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Things by id; an id that comes again gets a number, so that none is lost."""
    found: dict[str, T] = {}
    for id, thing in named:
        free, number = id, 2
        while free in found:
            free, number = f"{id}-{number}", number + 1
        found[free] = thing
    return found


def not_there(root: Path, what: str, sought: str) -> EvalError:
    """The error for a folder that is not in the layout of the data set `what`."""
    return EvalError(f"{root}: no {what} data set: looked for {sought}")
