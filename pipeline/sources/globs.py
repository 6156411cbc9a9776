"""Globs over posix paths inside a source."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(relative: str, patterns: Iterable[str]) -> bool:
    """Whether a whole posix path matches any of the patterns.

    A pattern is compared segment by segment, as the shell does with `globstar`: `*`, `?` and `[...]` stay
    within one segment; a segment `**` stands for any number of folders, none included, and at the end for
    everything below. So `*.png` is the top folder only and `**/*.png` every folder. Case counts, a leading
    dot is nothing special, a leading `./` is ignored.
    """
    parts = tuple(relative.split("/"))
    return any(_match(parts, _segments(pattern)) for pattern in patterns)


def _segments(pattern: str) -> tuple[str, ...]:
    segments = pattern.removeprefix("./").split("/")
    # A run of ** says no more than one, and each costs a factor of the depth.
    return tuple(s for i, s in enumerate(segments) if s != "**" or segments[i - 1 : i] != ["**"])


def _match(parts: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if not segments:
        return not parts
    head, rest = segments[0], segments[1:]
    if head != "**":
        return bool(parts) and fnmatchcase(parts[0], head) and _match(parts[1:], rest)
    if not rest:
        return bool(parts)
    return any(_match(parts[i:], rest) for i in range(len(parts)))
