"""Files that appear whole or not at all, and plain tars in them: POSIX ustar, the same bytes every time."""

import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from model.data.download import DataError

_BLOCK = tarfile.BLOCKSIZE


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name, and the place of an older one, when it is whole; its folder is made.

    Raises DataError where it cannot be written; nothing is left then.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary.exists():
            temporary.unlink()


class Tar:
    """A tar that is written to a file; `num_bytes` and `sha256()` are of what was written so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest, self.num_bytes = file, hashlib.sha256(), 0

    def add(self, name: str, data: bytes) -> int:
        """Append a member; returns the offset of its header."""
        offset = self.num_bytes
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(data), 0, 0o644
        for part in (info.tobuf(format=tarfile.USTAR_FORMAT), data, bytes(-len(data) % _BLOCK)):
            self._write(part)
        return offset

    def end(self) -> None:
        """Append the two blocks that end a tar, and fill its last record."""
        self._write(bytes(-(self.num_bytes + 2 * _BLOCK) % tarfile.RECORDSIZE + 2 * _BLOCK))

    def sha256(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
        self.num_bytes += len(data)
