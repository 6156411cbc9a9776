"""Pixels: pure functions on numpy arrays. No paths, no network, no Ray, nothing of ours imported."""

import hashlib
import os
import shutil
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable


def _sources(folder: Traversable) -> list[tuple[str, bytes]]:
    found = [(f.name, f.read_bytes()) for f in folder.iterdir() if f.name.endswith(".py")]
    return sorted(found) + [item for f in folder.iterdir() if f.name == "procedural" for item in _sources(f)]


def _fresh_kernels() -> None:
    """Let numba keep compiled kernels by the version of this package.

    Its own check looks at the file of a kernel only, not at the ones whose functions it calls: after an update it
    would run old machine code, and a build would not be what its fingerprint says.
    """
    digest = hashlib.sha256(repr(_sources(files(__name__))).encode()).hexdigest()[:16]
    root = os.path.join(os.path.dirname(__file__), "__pycache__")  # noqa: PTH118, PTH120
    folder = os.path.join(root, f"numba-{digest}")  # noqa: PTH118
    if os.environ.get("NUMBA_CACHE_DIR") or not os.access(root, os.W_OK):
        return
    for entry in os.scandir(root):
        if entry.name.startswith("numba-") and entry.path != folder:
            shutil.rmtree(entry.path, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = folder
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = folder


_fresh_kernels()
