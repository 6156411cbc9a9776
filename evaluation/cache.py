"""Answers and scores on disk, so that a run that is started again goes on where it stopped.

    OUT/predictions/PROTOCOL/METHOD-KEY/ID.background.png, ID.foreground.png   what the method answered
    OUT/predictions/PROTOCOL/METHOD-KEY/ID.json                                of which input, in which time, scores

An answer is used again for the same input (SHA-256 of picture and mask) by the same method (its key, which holds the
hash of its weights); scores for the same truth, protocol and versions of what computes them.
"""

import hashlib
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import orjson

from evaluation.errors import EvalError
from evaluation.layers import Answer, Method
from evaluation.sample import Item
from stages.codec import decode_png, encode_png
from stages.types import U8

LAYERS = ("background", "foreground")


class Record(NamedTuple):
    """What `ID.json` holds. `layers` were made, in `seconds` (None: read); `scores` belong to `scored`."""

    input: str
    layers: list[str]
    seconds: float | None
    scored: str = ""
    scores: dict[str, float | None] = {}


def file_name(id: str) -> str:
    """An id as part of a file's name: slashes and the like are written as %2F."""
    return quote(id, safe=" ()+,=@[]") if id.strip(".") else id.replace(".", "%2E")


def fingerprint(*parts: Any) -> str:
    """SHA-256 of arrays, texts and JSON values, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(orjson.dumps(part, option=orjson.OPT_SORT_KEYS))
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def input_of(item: Item) -> str:
    """What a method sees of an item."""
    return fingerprint(item.picture, item.mask)


def truth_of(item: Item) -> str:
    """All that is known of an item."""
    return fingerprint(*item[1:])


class Cache:
    """The folder of one method under one protocol."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, id: str, part: str) -> Path:
        """Of a layer ("background.png") or of the record ("json")."""
        return self.folder / f"{file_name(id)}.{part}"

    def answer(self, item: Item, method: Method) -> tuple[Answer, Record]:
        """What the method says of the item, from disk where it said so before. Raises EvalError as the method does."""
        asked = input_of(item)
        record = self._record(item.id)
        if record is not None and record.input == asked:
            found = self._layers(item.id, record)
            if found is not None:
                return found, record
        started = time.perf_counter()
        answer = method(item)
        seconds = time.perf_counter() - started
        check_answer(answer, item)
        return answer, self._keep(item.id, asked, answer, seconds)

    def write(self, id: str, record: Record) -> None:
        """Replace the record at once."""
        _replace(self.path(id, "json"), orjson.dumps(record._asdict()))

    def _record(self, id: str) -> Record | None:
        try:
            return Record(**orjson.loads(self.path(id, "json").read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            return None

    def _layers(self, id: str, record: Record) -> Answer | None:
        try:
            return Answer(**{layer: decode_png(self.path(id, f"{layer}.png").read_bytes()) for layer in record.layers})
        except (OSError, ValueError, TypeError):
            return None

    def _keep(self, id: str, asked: str, answer: Answer, seconds: float) -> Record:
        made = {layer: pixels for layer, pixels in answer._asdict().items() if pixels is not None}
        for layer, pixels in made.items():
            _replace(self.path(id, f"{layer}.png"), encode_png(pixels))
        record = Record(asked, list(made), seconds)
        self.write(id, record)
        return record


def check_answer(answer: Answer, item: Item) -> None:
    """Raise EvalError for layers that are not of the picture's size or kind."""
    for layer, channels in zip(LAYERS, (3, 4), strict=True):
        pixels: U8 | None = getattr(answer, layer)
        wanted = (*item.picture.shape[:2], channels)
        if pixels is not None and (pixels.shape != wanted or pixels.dtype != np.uint8):
            raise EvalError(f"{item.id}: {layer} must be uint8 {wanted}, is {pixels.dtype} {pixels.shape}")


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
