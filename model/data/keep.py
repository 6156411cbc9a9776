"""Memory of what was decoded."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from numpy.typing import NDArray

Value = TypeVar("Value", bound=tuple[NDArray, ...])  # type: ignore[type-arg]


class Keep(Generic[Value]):
    """Tuples of arrays by key, kept while there is room, then for ever.

    What is full stays as it is: all samples are used equally often, in a new order each epoch, and then throwing out
    the oldest would throw out what is wanted soonest.
    """

    def __init__(self, num_bytes: int) -> None:
        self._room = num_bytes
        self._kept: dict[Hashable, Value] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of `key`, made if it is not here. Not to be written to."""
        if key in self._kept:
            return self._kept[key]
        value = make()
        size = sum(array.nbytes for array in value)
        if size <= self._room:
            self._room -= size
            self._kept[key] = value
        return value
