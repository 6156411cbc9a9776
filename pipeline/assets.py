"""The asset table: one row for everything a scene can be made of, and the content-addressed files behind it."""

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, get_origin

import pyarrow as pa
import pyarrow.parquet as pq

from stages.codec import decode_png
from stages.types import U8, Frozen


class Asset(Frozen):
    """One prepared asset. `sha256` is of its PNG file, which is also its name in the cache.

    `alpha_from` says who cut it out: the file had alpha, a matting model, an annotation, or it was rendered.
    `photo` names the photograph that it shares with other assets, which stay in its split ("": none).
    `area_px` is the sum of alpha / 255, `cut` the sides (letters of `ltrb`) on which the photograph's edge cut
    the object. `horizon` is a share of the height (0 top, 1 bottom: nothing to stand on; down to -0.5: all of the
    picture is ground; below: a surface seen from above). A background's `support` says what can be in it;
    `light_x` the side the light came from (-1 left to 1 right, 0 unknown). Lengths in metres are 0 if unknown.
    """

    id: str
    sha256: str
    role: Literal["foreground", "background"]
    source: str
    origin: Literal["real", "generated"]
    alpha_from: Literal["file", "matte", "annotation", "render"]
    whole: bool
    license: str
    attribution: str
    uri: str
    photo: str
    caption: str
    caption_from: Literal["source", "name", "model"]
    width: int
    height: int
    area_px: float
    coverage: float
    soft_share: float
    main_component: float
    flatness: float
    palette: float
    text_like: float
    sharpness: float
    clipped: float
    cut: str
    support: Literal["ground", "air"]
    long_side_m: float
    min_object_m: float
    max_object_m: float
    horizon: float | None
    light_x: float
    phash: str
    cluster: str = ""
    split: str = ""


class Store:
    """Prepared pixels by content: `root/ab/abcdef....png`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the file with that SHA-256 is or would be."""
        return self.root / sha256[:2] / f"{sha256}.png"

    def put(self, data: bytes) -> str:
        """Store PNG bytes; returns their SHA-256. Atomic, and a second time a no-op."""
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
        return digest

    def pixels(self, sha256: str) -> U8:
        """Decode one asset: uint8 (h, w, 3) or (h, w, 4).

        Raises:
            ValueError: the file is damaged (its PNG checksums fail).
            FileNotFoundError: it is not in this cache.
        """
        return decode_png(self.path(sha256).read_bytes())


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file that is whole or absent, also after a crash: temporary name, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(path: Path, assets: list[Asset]) -> None:
    """Write the asset table as parquet, in the given order."""
    rows = pa.Table.from_pylist([a.model_dump() for a in assets], schema=_SCHEMA)
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    write_atomic(path, sink.getvalue().to_pybytes())


def read_table(path: Path) -> list[Asset]:
    """Read what `write_table` wrote."""
    return [Asset.model_validate(row) for row in pq.read_table(path).to_pylist()]


def _arrow(annotation: Any) -> pa.DataType:
    if get_origin(annotation) is Literal:
        return pa.string()
    return {str: pa.string(), int: pa.int32(), bool: pa.bool_()}.get(annotation, pa.float64())


_SCHEMA = pa.schema([(name, _arrow(field.annotation)) for name, field in Asset.model_fields.items()])
