"""Prompts: what a text-to-image model is asked for, written by a small grammar in the manifest."""

import re
import string
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.source import Diffusion
from stages.rng import generator
from stages.settings import ManifestError, did_you_mean

# Words that start with a vowel letter and a consonant sound, and the other way round.
_AS_CONSONANT = re.compile(r"(uni(?!n|m)|use|usu|ute|uk|eu|ewe|one\b|once)", re.IGNORECASE)
_AS_VOWEL = re.compile(r"([aeiou]|hour|honest|honou?r|heir)", re.IGNORECASE)


class Prompt(NamedTuple):
    """`text` is what the model reads, `caption` the same without the ground: what the object is."""

    text: str
    caption: str


class Prompts:
    """The prompts of one source; object `index` always gets the same one.

    A template is a line with `{word}` where an entry of `words.word` goes, drawn anew for every slot; entries may
    hold slots too. `{{` and `}}` are braces. `a` or `an` before a slot fits what fills it. Every run of as many
    objects as there are templates uses each template once, in an order shuffled anew for each run.
    """

    def __init__(self, diffusion: Diffusion, seed: int, base: Path) -> None:
        """Read and check the grammar; `prompts_file` is relative to `base`.

        Raises ManifestError for a file that cannot be used, an empty template or word list, an unknown or unused
        word, words that stand for themselves, and braces that do not match.
        """
        lines = _from_file(diffusion.prompts_file, base) if diffusion.prompts_file else _from_table(diffusion.prompts)
        self._templates = tuple(template for _, template in lines)
        self._words = diffusion.words
        self._ground = _tidy(diffusion.ground)
        self._seed = seed
        _check(lines, diffusion.words)

    def prompt(self, index: int) -> Prompt:
        """The prompt of object `index`."""
        count = len(self._templates)
        cycle, place = divmod(index, count)
        template = self._templates[int(_order(self._seed, cycle, count)[place])]
        caption = _tidy(_filled(template, self._words, generator(self._seed, "prompts", index)))
        return Prompt(f"{caption}, {self._ground}" if self._ground else caption, caption)


@lru_cache(maxsize=4)
def _order(seed: int, cycle: int, count: int) -> NDArray[np.int64]:
    return generator(seed, "prompts-order", cycle).permutation(count)


def _filled(text: str, words: Mapping[str, tuple[str, ...]], r: np.random.Generator) -> str:
    out = ""
    for literal, word in _parts(text):
        out += literal
        if word:
            entry = words[word][int(r.integers(len(words[word])))]
            filled = _filled(entry, words, r).strip()
            out = _with_article(out, filled) + filled
    return out


def _with_article(before: str, after: str) -> str:
    vowel = _AS_VOWEL.match(after) and not _AS_CONSONANT.match(after)
    return re.sub(r"\b([Aa])n?(\s+)$", rf"\g<1>{'n' if vowel else ''}\2", before)


def _tidy(text: str) -> str:
    """One line, single spaces, none before a comma, no comma or full stop at the end."""
    return re.sub(r"\s+,", ",", " ".join(text.split())).rstrip(" ,.")


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """(literal text, word of the slot after it or "") of a template. ValueError for braces that do not match."""
    for literal, word, form, conversion in string.Formatter().parse(text):
        if word == "" or form or conversion:
            raise ValueError("a slot is a word in braces, as in {word}; a brace itself is written {{ or }}")
        yield literal, word or ""


Lines = list[tuple[str, str]]  # (where it stands, text)


def _from_table(prompts: tuple[str, ...]) -> Lines:
    return [(f"diffusion.prompts[{i}]", text) for i, text in enumerate(prompts)]


def _from_file(name: str, base: Path) -> Lines:
    """Lines of a UTF-8 file; blank ones and those that start with # say nothing."""
    key = f"diffusion.prompts_file = '{name}'"
    try:
        rows = (base / name).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ManifestError(f"{key}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise ManifestError(f"{key}: {error.strerror or error}") from None
    lines = [(f"{key}, line {n}", row.strip()) for n, row in enumerate(rows, 1)]
    lines = [(where, text) for where, text in lines if text and not text.startswith("#")]
    if not lines:
        raise ManifestError(f"{key}: holds no prompt")
    return lines


def _check(lines: Lines, words: Mapping[str, tuple[str, ...]]) -> None:
    for word, entries in words.items():
        if not entries:
            raise ManifestError(f"diffusion.words.{word}: is empty")
    entries_of = {w: [(f"diffusion.words.{w}[{i}]", e) for i, e in enumerate(es)] for w, es in words.items()}
    uses = {w: {s for where, e in rows for s in _slots(where, e, words)} for w, rows in entries_of.items()}
    used = _reached({s for where, text in lines for s in _slots(where, text, words)}, uses)
    for word in words:
        if word in _reached(uses[word], uses):
            raise ManifestError(f"diffusion.words.{word}: stands for itself, by way of its own entries")
        if word not in used:
            raise ManifestError(f"diffusion.words.{word}: no prompt uses {{{word}}}")


def _slots(where: str, text: str, words: Mapping[str, tuple[str, ...]]) -> set[str]:
    if not _tidy(text):
        raise ManifestError(f"{where}: is empty")
    try:
        slots = {word for _, word in _parts(text) if word}
    except ValueError as error:
        raise ManifestError(f"{where}: '{text}': {error}") from None
    for word in sorted(slots - words.keys()):
        hint = did_you_mean(word, words) if words else "; there is no table 'words'"
        raise ManifestError(f"{where}: '{text}': unknown word '{word}'{hint}")
    return slots


def _reached(start: set[str], uses: Mapping[str, set[str]]) -> set[str]:
    """The words in `start`, those that their entries use, and so on."""
    found: set[str] = set()
    left = sorted(start)
    while left:
        word = left.pop()
        if word not in found:
            found.add(word)
            left += sorted(uses[word])
    return found
