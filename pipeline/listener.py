"""Who watches a long run."""

from collections import Counter
from typing import Protocol


class Listener(Protocol):
    """Who watches a build: the terminal, a log, or nobody."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` units starts; the one before has ended."""

    def advance(self, units: int, rejects: Counter[str]) -> None:
        """So many more units are done, with these rejections on the way."""

    def note(self, text: str) -> None:
        """Something worth a line."""
