"""What a method answers."""

from collections.abc import Callable
from typing import NamedTuple

from evaluation.sample import Item
from stages.types import U8


class Answer(NamedTuple):
    """Layers of a picture, of its size; None where the method makes none. Raises nothing: sizes are checked later.

    `background` is uint8 (h, w, 3), sRGB-encoded; `foreground` uint8 (h, w, 4), straight alpha.
    """

    background: U8 | None = None
    foreground: U8 | None = None


Method = Callable[[Item], Answer]
