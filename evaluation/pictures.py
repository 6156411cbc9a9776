"""Test pictures and their truth as files, for reports."""

from pathlib import Path

import numpy as np

from evaluation.cache import file_name
from evaluation.sample import Item
from stages.codec import encode_png
from stages.types import U8


def write_item(out: Path, protocol: str, item: Item) -> dict[str, str]:
    """Write what is known of an item under `out/pictures`, unless it is there; paths relative to `out` by name."""
    folder = out / "pictures" / protocol
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, pixels in _layers(item).items():
        path = folder / f"{file_name(item.id)}.{name}.png"
        data = encode_png(pixels)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
        found[name] = str(path.relative_to(out))
    return found


def _layers(item: Item) -> dict[str, U8]:
    made = {
        "input": item.picture,
        "mask": None if item.mask is None else item.mask.astype(np.uint8) * np.uint8(255),
        "clean": item.clean,
        "alpha": None if item.alpha is None else np.rint(item.alpha * 255).astype(np.uint8),
        "foreground": item.foreground,
    }
    return {name: pixels for name, pixels in made.items() if pixels is not None}
