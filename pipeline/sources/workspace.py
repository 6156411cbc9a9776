"""Folders of the cache that appear whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial-"


@contextmanager
def workspace(shelf: Path) -> Iterator[Path]:
    """An empty temporary folder on the file system of `shelf`, removed at the end whatever happens.

    One process at a time holds a shelf; entering waits for its turn, then sweeps what killed processes left.
    """
    shelf.mkdir(parents=True, exist_ok=True)
    with (shelf / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in shelf.glob(f"{PARTIAL}*"):
            shutil.rmtree(stale)
        temporary = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=shelf))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # the error that led here matters more


def publish(folder: Path, final: Path) -> None:
    """Give a finished folder, made inside a workspace, its final name; an older one of that name goes."""
    for name in folder.rglob("*"):
        if name.is_file() and not name.is_symlink():
            _sync(name)
    _sync(folder)
    if final.exists():
        final.replace(folder.with_name(f"{folder.name}.old"))
    folder.replace(final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
