"""Wall time of whole builds by number of workers: `python -m benchmarks.build [MANIFEST]`.

Assets must be in the cache already (run `make data` once); every build goes to a folder that is removed again.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from pipeline.__main__ import default_cache
from pipeline.build import build
from pipeline.load import load_manifest
from pipeline.run import Machine


class Quiet:
    """A listener that says nothing."""

    def stage(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, units: int, rejects: object) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


def main() -> None:
    """Print samples/s for 0 (serial), 1, ... workers up to the number of cores."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "manifests/data/sample.toml")
    manifest = load_manifest(path)
    print(f"{manifest.name}: {manifest.samples} samples at {manifest.size} px")
    for workers in [0, *range(1, (os.cpu_count() or 1) + 1)]:
        out = Path(tempfile.mkdtemp(prefix="layerloom-bench-"))
        try:
            done = build(manifest, path.parent, out, default_cache(), Machine(workers), Quiet())
            seconds = done.seconds["build"]
            size = sum(p.stat().st_size for p in (out / "data").iterdir()) / 2**20
            rate = f"{done.built / seconds:.1f} samples/s"
            print(f"| {workers} workers | {seconds:.1f} s | {rate} | {size:.0f} MiB |", flush=True)
        finally:
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
