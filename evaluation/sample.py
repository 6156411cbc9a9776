"""Test pictures and what is known of them.

Pictures are uint8, sRGB-encoded, straight alpha; all arrays of an item have one height and width.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from stages.types import F32, U8, Mask


class Item(NamedTuple):
    """One test picture and whatever truth its data set has; None where it has none."""

    id: str
    picture: U8  # (h, w, 3) what the method sees
    mask: Mask | None  # (h, w) bool: the rough mask the method is given
    clean: U8 | None = None  # (h, w, 3) the scene without the object
    effect: Mask | None = None  # (h, w) bool: object and its shadow/reflection: where removal is scored, else mask
    alpha: F32 | None = None  # (h, w): the object's alpha as it shows (visible) or, where nothing hides it, whole
    foreground: U8 | None = None  # (h, w, 4) the whole object, hidden parts included
    visible: F32 | None = None  # (h, w): the visible part of the foreground's alpha
    trimap: U8 | None = None  # (h, w) {0, 128, 255}


class Missing(NamedTuple):
    """An item that could not be read, and why; it is counted in the report."""

    id: str
    reason: str


class Dataset(Protocol):
    """Items of one test set, read one at a time."""

    ids: Sequence[str]  # sorted

    def read(self, id: str) -> Item | Missing:
        """The item of one of `ids`, or why it cannot be read."""
        ...
