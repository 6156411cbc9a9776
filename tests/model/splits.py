"""A tiny data set of several shards and a second split, which the tests of reports and stored latents share."""

import hashlib
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tests.damage import write_tar
from tests.model.runs import _pictures

COUNTS, HELD_OUT = (5, 4, 3), 5


def write_splits(
    folder: Path, counts: Sequence[int] = COUNTS, sides: Sequence[int] = (16,), held_out: int = HELD_OUT
) -> str:
    """Shards of `counts` samples in split "train", and one of split "val"; sample k is of the k-th side, in turn."""
    (folder / "data").mkdir(parents=True)
    (folder / "meta").mkdir()
    rows: list[dict[str, Any]] = []
    shards = []
    for split, name, count in [*(("train", f"train-{k}", n) for k, n in enumerate(counts)), ("val", "val-0", held_out)]:
        path = folder / "data" / f"{name}.tar"
        own = [(f"{k:06d}", sides[k % len(sides)]) for k in range(len(rows), len(rows) + count)]
        write_tar(path, [(f"{key}.{part}.png", data) for key, side in own for part, data in _pictures(int(key), side)])
        with tarfile.open(path) as tar:
            offsets = [m.offset for m in tar if m.name.endswith(".composite.png")]
        each = [{"key": key, "split": split, "shard": path.name, "size": side} for key, side in own]
        rows += [row | {"offset": offset} for row, offset in zip(each, offsets, strict=True)]
        data = path.read_bytes()
        about = {"name": f"data/{path.name}", "num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        shards.append(about)
    pq.write_table(pa.Table.from_pylist(rows), folder / "meta" / "index.parquet")
    (folder / "index.json").write_bytes(orjson.dumps({"shards": shards}))
    return str(folder)
