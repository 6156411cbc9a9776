"""One layer of a MULAN annotation, laid out over its photograph."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stages.decode import DecodeError, decode_image
from stages.mulan import compose, cut_out, layers
from stages.pickles import load_packed
from stages.types import U8

BACKGROUND = -1


@dataclass(frozen=True)
class MulanLayer:
    """Layer `number` of the file `annotation`: an instance from 0 on, or BACKGROUND."""

    annotation: Path
    number: int

    @property
    def rough(self) -> bool:
        """The alpha is a matte."""
        return False

    def key(self) -> str:
        """Hash of the annotation file's bytes and the layer's number."""
        head = f"mulan {self.number} ".encode()
        return hashlib.sha256(head + self.annotation.read_bytes()).hexdigest()

    def pixels(self, data: bytes, name: str) -> U8:
        """The layer over the photograph `data`: uint8 (h, w, 3) of the background, else (h, w, 4), 0 at alpha 0.

        Raises DecodeError with reason bad_annotation, unsafe_pickle, too_large or size_mismatch besides those of
        `decode_image`.
        """
        rgb = decode_image(data, name=name, want="rgb")
        background, instances, _ = layers(load_packed(self.annotation.read_bytes(), name), name)
        if self.number == BACKGROUND:
            return compose(rgb, background, name)
        if self.number >= len(instances):
            text = f"{len(instances)} instances, none of number {self.number}"
            raise DecodeError("bad_annotation", f"{name}: {text}")
        return cut_out(rgb, instances[self.number], name)
