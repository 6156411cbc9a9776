"""The files of a run's numbers: `metrics.jsonl`, one object a line, and TensorBoard's."""

from pathlib import Path
from typing import Any

import orjson
from torch import Tensor

MISSING = (
    "no TensorBoard files, for it is not installed (pip install tensorboard); metrics.jsonl holds the same numbers"
)


class Journal:
    """Appends to `metrics.jsonl` and to TensorBoard's files in `folder`.

    Rows of an earlier process that come after the place where this one begins are removed: their steps are done anew.
    `complete` is False where TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int, validation: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "metrics.jsonl"
        _keep_before(self._path, (step, validation))
        self._board = _board(folder / "tensorboard", step)
        self.complete = self._board is not None

    def write(self, row: dict[str, Any]) -> None:
        """Add a row; it must have a `step`, and `validation` if it is one."""
        with self._path.open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Add points to TensorBoard's curves."""
        for name, value in values.items() if self._board else ():
            self._board.add_scalar(name, value, step)

    def picture(self, name: str, picture_3HW: Tensor, step: int) -> None:
        """Add a picture in [0, 1] to TensorBoard, and let it see all that was written."""
        if self._board:
            self._board.add_image(name, picture_3HW, step)
            self._board.flush()

    def close(self) -> None:
        """Write what is still held back."""
        if self._board:
            self._board.close()


def _keep_before(path: Path, place: tuple[int, bool]) -> None:
    """A step's own row comes before its validation. A last line that was cut short goes, too."""
    if not path.exists():
        return
    kept = [line for line in path.read_bytes().splitlines() if (found := _place(line)) and found < place]
    path.write_bytes(b"".join(line + b"\n" for line in kept))


def _place(line: bytes) -> tuple[int, bool] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row["step"], "validation" in row


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)
