"""Peak memory of preparing many assets in one process: `python -m benchmarks.memory [COUNT ...]`.

Each count runs in a process of its own, on cut-outs of 256 px that it draws first. Held as pixels, 10,000 of them
would take 2.6 GB.
"""

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.build import Quiet
from pipeline.collect import gather
from pipeline.manifest import Manifest
from pipeline.run import Machine
from stages.codec import encode_png

_SIDE = 256


def draw(folder: Path, count: int) -> None:
    """Write `count` textured blobs, each of its own shape."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE / 2) - 1
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    for k in range(count):
        rng = np.random.default_rng([256, k])
        waves = enumerate(rng.uniform(0, 0.07, (4, 2)) * [1, 90])
        edge = 0.7 + sum(a * np.cos((j + 2) * angle + p) for j, (a, p) in waves)
        noise = cv2.resize(rng.integers(40, 220, (24, 24, 3), dtype=np.uint8), (_SIDE, _SIDE))
        grain = rng.integers(0, 20, (_SIDE, _SIDE, 1), dtype=np.uint8)
        alpha = np.where(radius < edge, 255, 0).astype(np.uint8)
        rgba = np.dstack([noise + grain, alpha])
        rgba[alpha == 0] = 0
        (folder / f"{k:06d}.png").write_bytes(encode_png(rgba))


def prepare(folder: str, cache: str, into: "multiprocessing.Queue[tuple[int, float, float]]") -> None:
    """Prepare the folder's pictures; answers (kept, seconds, peak memory in MB)."""
    source = {"name": "blobs", "kind": "local", "role": "foreground", "path": folder, "license": "CC0-1.0"}
    plain = {"name": "memory", "seed": 1, "samples": 1, "size": _SIDE, "licenses": ["CC0-1.0"]}
    manifest = Manifest.model_validate(plain | {"sources": [source | {"attribution": "nobody"}]})
    start = time.perf_counter()
    kept, _ = gather(manifest, Path(folder), Path(cache), Machine(), Quiet())
    seconds = time.perf_counter() - start
    into.put((len(kept), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def main() -> None:
    counts = [int(a) for a in sys.argv[1:]] or [100, 1000, 10_000]
    print("| assets | kept | seconds | peak MB |\n|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "in")
            folder.mkdir()
            draw(folder, count)
            answers: multiprocessing.Queue[tuple[int, float, float]] = context.Queue()
            child = context.Process(target=prepare, args=(str(folder), str(Path(place, "cache")), answers))
            child.start()
            kept, seconds, peak = answers.get()
            child.join()
            print(f"| {count:,} | {kept:,} | {seconds:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
