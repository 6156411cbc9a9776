"""What a person sees while a build runs: bars on a terminal, plain lines elsewhere."""

import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_EVERY = 5.0  # seconds between plain lines


class Terminal:
    """A listener (see `pipeline.listener.Listener`) that writes to a console; use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:>8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rejects]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = TaskID(0)
        self._name, self._total, self._done, self._started, self._said = "", 0, 0, 0.0, 0.0
        self._rejects: Counter[str] = Counter()

    def __enter__(self) -> "Terminal":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        self._progress.stop()

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` units."""
        self._end()
        self._name, self._total, self._done, self._rejects = name, total, 0, Counter()
        self._started = self._said = time.monotonic()
        self._task = self._progress.add_task(name, total=total, rate="", rejects="")

    def advance(self, units: int, rejects: Counter[str]) -> None:
        """Count units done and rejections."""
        self._done += units
        self._rejects.update(rejects)
        self._progress.update(self._task, completed=self._done, rate=self._rate(), rejects=self._reasons())
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= _EVERY:
            self._said = now
            self._line(f"ETA {self._eta():.0f} s")

    def note(self, text: str) -> None:
        """Write one line above the bars."""
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _end(self) -> None:
        if self._name and not self._console.is_terminal:
            self._line(f"{time.monotonic() - self._started:.1f} s")
        self._name = ""

    def _line(self, last: str) -> None:
        parts = (f"{self._name}: {self._done}/{self._total}", self._rate(), last, self._reasons())
        self.note(", ".join(part for part in parts if part))

    def _rate(self) -> str:
        elapsed = time.monotonic() - self._started
        return f"{self._done / elapsed:.1f}/s" if elapsed > 0 else ""

    def _eta(self) -> float:
        elapsed = time.monotonic() - self._started
        return (self._total - self._done) * elapsed / max(1, self._done)

    def _reasons(self) -> str:
        total = sum(self._rejects.values())
        if not total:
            return ""
        return f"{total} rejected: " + ", ".join(f"{r} {n}" for r, n in self._rejects.most_common(4))
