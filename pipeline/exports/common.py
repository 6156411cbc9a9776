"""What the formats share: the sample they are given, and what each must be able to do."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.shards import MEMBERS
from stages.codec import decode_png
from stages.types import U8

COMPOSITE, BACKGROUND, FOREGROUND, SHADOW, OCCLUDER, MASK, JSON = MEMBERS
Row = Mapping[str, Any]
"""A sample's row of the index: key, split, shard, offset, caption, size, and the SHA-256 of each member."""


class Sample:
    """One sample: the bytes of its members by name, and its row of the index. Pixels are decoded when asked for."""

    def __init__(self, row: Row, members: Mapping[str, bytes]) -> None:
        self.row = row
        self.members = members

    @cached_property
    def background(self) -> U8:
        """uint8 (h, w, 3) sRGB: the scene without the target and its shadow."""
        return decode_png(self.members[BACKGROUND])

    @cached_property
    def foreground(self) -> U8:
        """uint8 (h, w, 4) straight RGBA: the whole target."""
        return decode_png(self.members[FOREGROUND])

    @cached_property
    def shadow(self) -> U8:
        """uint8 (h, w): density of the target's shadow."""
        return decode_png(self.members[SHADOW])

    @cached_property
    def occluder(self) -> U8:
        """uint8 (h, w, 4) straight RGBA: what is in front of the target."""
        return decode_png(self.members[OCCLUDER])

    @cached_property
    def mask(self) -> U8:
        """uint8 (h, w), 0 or 255: the mask that a user would draw."""
        return decode_png(self.members[MASK])

    @cached_property
    def composite(self) -> U8:
        """uint8 (h, w, 3) sRGB: the picture."""
        return decode_png(self.members[COMPOSITE])


def no_lists(to: Path, rows: Sequence[Row]) -> dict[str, bytes]:
    """Of a format without files over all samples."""
    return {}


class Format(NamedTuple):
    """A way to write samples.

    `about` is a line for users. `files` names the files of the sample with a key, relative to the export's folder,
    and `contents` makes them, in that order; `lists` are the files over all samples that are written last.
    """

    about: str
    files: Callable[[str], tuple[str, ...]]
    contents: Callable[[Sample], tuple[bytes, ...]]
    lists: Callable[[Path, Sequence[Row]], dict[str, bytes]] = no_lists
