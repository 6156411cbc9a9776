"""Running the package managers."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.sources.common import AssetError

SECONDS = 3600


@dataclass(frozen=True)
class Outcome:
    """How a command ended: whether it succeeded, and its two streams."""

    ok: bool
    out: str
    err: str

    def last(self, *marks: str) -> str:
        """The last line of stderr that begins with one of `marks`, else the last line, else `no message`."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        marked = [line for line in lines if line.startswith(marks)]
        return (marked or lines or ["no message"])[-1]


def run_tool(command: list[str], folder: Path, *, seconds: float = SECONDS) -> Outcome:
    """Run a command in `folder` with untranslated messages. Raises AssetError if it takes over `seconds`."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AssetError(f"{Path(command[0]).name} took longer than {seconds:g} s") from None
    return Outcome(done.returncode == 0, done.stdout, done.stderr)
