"""A layered data set for musubi-tuner's Qwen-Image-Layered training.

Its `docs/dataset_config.md` asks for `multiple_target = true` and, in one folder, a caption `KEY.txt`, the picture
`KEY.png` and its layers `KEY_1.png`, `KEY_2.png`, ..., sorted by number and as many for every picture. Its latent
cache stacks the layers, and adds a missing alpha channel to the picture alone: all layers are RGBA here.
"""

from collections.abc import Sequence
from pathlib import Path

import orjson

from pipeline.exports.common import Format, Row, Sample
from pipeline.exports.layers import COUNT, layered_pngs

FOLDER, CACHE, CONFIG = "images", "cache", "dataset.toml"


def files(key: str) -> tuple[str, ...]:
    """The picture, its layers from the lowest up (background, shadow, object, occluder), and its caption, last.

    The trainer takes pictures with a caption, so one whose layers are not all there yet is not seen.
    """
    pictures = (f"{FOLDER}/{key}.png", *(f"{FOLDER}/{key}_{n}.png" for n in range(1, COUNT + 1)))
    return (*pictures, f"{FOLDER}/{key}.txt")


def contents(sample: Sample) -> tuple[bytes, ...]:
    """The picture and the layers as PNG, and the caption in UTF-8."""
    return (*layered_pngs(sample), sample.row["caption"].encode())


def lists(to: Path, rows: Sequence[Row]) -> dict[str, bytes]:
    """`dataset.toml`, what `--dataset_config` takes: absolute paths, for relative ones are the trainer's folder's."""
    size = max(row["size"] for row in rows)
    text = f"""\
[general]
resolution = [{size}, {size}]
caption_extension = ".txt"
batch_size = 1
enable_bucket = true
bucket_no_upscale = true

[[datasets]]
image_directory = {_quoted(to / FOLDER)}
cache_directory = {_quoted(to / CACHE)}
multiple_target = true
"""
    return {CONFIG: text.encode()}


def _quoted(path: Path) -> str:
    return orjson.dumps(path.as_posix()).decode()  # a JSON string is a basic string of TOML


FORMAT = Format("folder and dataset.toml for musubi-tuner's Qwen-Image-Layered training", files, contents, lists)
