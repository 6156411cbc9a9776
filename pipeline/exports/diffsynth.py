"""A layered data set for DiffSynth-Studio's Qwen-Image-Layered training.

Its example `examples/qwen_image/model_training/lora/Qwen-Image-Layered.sh` reads, relative to `--dataset_base_path`,
a metadata file whose entries hold `prompt`, `layer_input_image` (the picture to take apart), `layer_num`, and as
`image` a list: the picture and then its `layer_num` layers. A list needs JSON; CSV holds one path a column.
"""

from collections.abc import Sequence
from pathlib import Path

import orjson

from pipeline.exports.common import Format, Row
from pipeline.exports.layers import COUNT, layered_pngs

METADATA = "metadata.jsonl"


def files(key: str) -> tuple[str, ...]:
    """The picture and its layers from the lowest up: background, shadow, object, occluder."""
    return (f"images/{key}.png", *(f"images/{key}_{n}.png" for n in range(1, COUNT + 1)))


def lists(to: Path, rows: Sequence[Row]) -> dict[str, bytes]:
    """`metadata.jsonl`, what `--dataset_metadata_path` takes, one line a sample; it holds no machine's paths."""
    entries = (
        {
            "prompt": row["caption"],
            "layer_input_image": files(row["key"])[0],
            "layer_num": COUNT,
            "image": files(row["key"]),
        }
        for row in rows
    )
    return {METADATA: b"".join(orjson.dumps(entry) + b"\n" for entry in entries)}


FORMAT = Format("layers and metadata.jsonl for DiffSynth-Studio's Qwen-Image-Layered", files, layered_pngs, lists)
