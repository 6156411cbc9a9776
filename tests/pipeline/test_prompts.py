"""Prompts: the grammar, its even use, and every way to get it wrong."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompts import Prompt, Prompts
from pipeline.source import Diffusion
from stages.settings import ManifestError

HERE = Path()


def made(*prompts: str, seed: int = 1, base: Path = HERE, **more: object) -> Prompts:
    return Prompts(Diffusion.model_validate({"model": "m", "prompts": prompts, **more}), seed, base)


def captions(prompts: Prompts, count: int) -> list[str]:
    return [prompts.prompt(i).caption for i in range(count)]


def refused(*prompts: str, **more: object) -> str:
    with pytest.raises(ManifestError) as info:
        made(*prompts, **more)
    return str(info.value)


def test_the_ground_is_in_the_text_only() -> None:
    assert made("a cup", ground="on white").prompt(0) == Prompt("a cup, on white", "a cup")
    assert made("a cup", ground="").prompt(0) == Prompt("a cup", "a cup")
    assert made("a cup").prompt(0).text.startswith("a cup, isolated on a plain light grey background")


def test_slots_are_filled_independently_and_with_every_entry() -> None:
    words = {"x": ("red", "blue"), "y": ("cup", "jug", "pan")}
    counts = Counter(captions(made("one {x} {y} {x}", words=words), 1200))
    assert set(counts) == {f"one {a} {y} {b}" for a in words["x"] for b in words["x"] for y in words["y"]}
    assert all(60 <= n <= 140 for n in counts.values())  # 100 expected, standard deviation 9.6


@given(st.integers(1, 40), st.integers(0, 2**63 - 1), st.integers(0, 5))
def test_each_run_uses_each_template_once(count: int, seed: int, run: int) -> None:
    templates = [f"thing {i}" for i in range(count)]
    prompts = made(*templates, seed=seed)
    got = [prompts.prompt(i).caption for i in range(run * count, (run + 1) * count)]
    assert sorted(got) == sorted(templates)


def test_a_thousand_objects_from_a_thousand_prompts() -> None:
    prompts = made(*(f"thing {i}" for i in range(1000)))
    first, second = captions(prompts, 1000), [prompts.prompt(i).caption for i in range(1000, 2000)]
    assert len(set(first)) == len(set(second)) == 1000
    assert first != second
    assert first != [f"thing {i}" for i in range(1000)]


def test_a_prompt_depends_on_seed_and_index_only() -> None:
    words = {"n": tuple(f"n{i}" for i in range(50))}
    a, b, other = (made("x {n}", "y {n}", seed=s, words=words) for s in (7, 7, 8))
    forwards = captions(a, 30)
    assert [b.prompt(i).caption for i in reversed(range(30))] == forwards[::-1]
    assert captions(other, 30) != forwards
    assert captions(made("{n}", seed=7, words=words), 9) != captions(made("{n}", seed=8, words=words), 9)


def test_entries_may_hold_slots() -> None:
    words = {"thing": ("{animal} of {stuff}", "{stuff} box"), "animal": ("cat",), "stuff": ("tin", "oak")}
    got = set(captions(made("the {thing}", words=words), 60))
    assert got == {"the cat of tin", "the cat of oak", "the tin box", "the oak box"}


@pytest.mark.parametrize(
    ("word", "article"),
    [
        ("apple", "an"),
        ("cup", "a"),
        ("umbrella", "an"),
        ("unicycle", "a"),
        ("ukulele", "a"),
        ("hourglass", "an"),
        ("used cup", "a"),
        ("urn", "an"),
        ("one-handled jug", "a"),
        ("Egg", "an"),
        ("unimpressive cup", "an"),
    ],
)
def test_the_article_fits_what_fills_the_slot(word: str, article: str) -> None:
    for template in ("a {w}", "an {w}"):
        assert captions(made(template, words={"w": (word,)}), 1) == [f"{article} {word}"]
    assert captions(made("A {w}", words={"w": (word,)}), 1) == [f"{article.capitalize()} {word}"]


def test_the_article_looks_past_blanks_and_through_slots() -> None:
    words = {"w": ("  {x} box",), "x": (" egg",)}
    assert captions(made("a  {w}", words=words), 1) == ["an egg box"]


def test_other_words_and_what_the_author_wrote_stay() -> None:
    assert captions(made("an historic banana {w}", words={"w": ("apple",)}), 1) == ["an historic banana apple"]


def test_captions_are_tidied() -> None:
    assert captions(made("  a\t{w} , tall \n jug. ", words={"w": (" red ",)}), 1) == ["a red, tall jug"]


def test_doubled_braces_are_braces() -> None:
    assert captions(made("a {{w}} {w}", words={"w": ("{{x}}",)}), 1) == ["a {w} {x}"]


def test_a_file_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes("\ufeff# one a line\n\n a {w} \r\nthe cafetière\n   # more\n".encode())
    prompts = made(prompts_file="p.txt", base=tmp_path, words={"w": ("cup",)})
    assert sorted(captions(prompts, 2)) == ["a cup", "the cafetière"]


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty.txt").write_text("# nothing\n\n")
    for name, text in (
        ("none.txt", "No such file or directory"),
        (".", "Is a directory"),
        ("latin.txt", "not UTF-8 at byte 3"),
        ("empty.txt", "holds no prompt"),
    ):
        assert refused(prompts_file=name, base=tmp_path) == f"diffusion.prompts_file = '{name}': {text}"


def test_a_faulty_line_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("# x\na cup\na {w}\n")
    text = refused(prompts_file="p.txt", base=tmp_path)
    assert text == "diffusion.prompts_file = 'p.txt', line 3: 'a {w}': unknown word 'w'; there is no table 'words'"


WORDS = {"noun": ("cup",), "finish": ("red",)}
USED = "{noun} {finish}"
SYNTAX = "a slot is a word in braces, as in {word}; a brace itself is written {{ or }}"


@pytest.mark.parametrize(
    ("prompts", "words", "text"),
    [
        (("a {nuon}",), WORDS, "diffusion.prompts[0]: 'a {nuon}': unknown word 'nuon'; did you mean 'noun'?"),
        ((USED, "{q}"), WORDS, "diffusion.prompts[1]: '{q}': unknown word 'q'; choose from finish, noun"),
        (("a {noun}",), WORDS, "diffusion.words.finish: no prompt uses {finish}"),
        (("a cup", " . "), {}, "diffusion.prompts[1]: is empty"),
        ((USED,), WORDS | {"noun": ()}, "diffusion.words.noun: is empty"),
        ((USED,), WORDS | {"noun": ("cup", " ")}, "diffusion.words.noun[1]: is empty"),
        ((USED,), WORDS | {"noun": ("{x}",)}, "diffusion.words.noun[0]: '{x}': unknown word 'x'; choose from"),
        ((USED,), WORDS | {"noun": ("a {noun}",)}, "diffusion.words.noun: stands for itself"),
        (("{a}",), {"a": ("{b}",), "b": ("x", "{c}"), "c": ("{b}",)}, "diffusion.words.b: stands for itself"),
        (("a {noun!r}",), WORDS, f"diffusion.prompts[0]: 'a {{noun!r}}': {SYNTAX}"),
        (("a {noun:>9}",), WORDS, f"diffusion.prompts[0]: 'a {{noun:>9}}': {SYNTAX}"),
        (("a {}",), WORDS, f"diffusion.prompts[0]: 'a {{}}': {SYNTAX}"),
        (("a {noun",), WORDS, "diffusion.prompts[0]: 'a {noun': expected '}' before end of string"),
        (("a } {noun}",), WORDS, "diffusion.prompts[0]: 'a } {noun}': Single '}' encountered in format string"),
        (("a {noun.x}",), WORDS, "diffusion.prompts[0]: 'a {noun.x}': unknown word 'noun.x'; did you mean 'noun'?"),
    ],
)
def test_mistakes_are_named(prompts: tuple[str, ...], words: dict[str, tuple[str, ...]], text: str) -> None:
    assert refused(*prompts, words=words).startswith(text)


def test_words_used_by_other_words_only_are_used() -> None:
    assert captions(made("{a}", words={"a": ("{b}",), "b": ("cup",)}), 1) == ["cup"]
    assert refused("{a}", words={"a": ("x",), "b": ("{a}",)}) == "diffusion.words.b: no prompt uses {b}"


@given(st.text(), st.dictionaries(st.sampled_from("abc"), st.lists(st.text("abc{} ", max_size=6), max_size=3)))
def test_any_grammar_is_refused_or_gives_one_tidy_line(text: str, words: dict[str, list[str]]) -> None:
    try:
        prompts = made(text or "x", *(f"{{{w}}}" for w in words), words=words)
    except ManifestError:
        return
    for i in range(8):
        caption = prompts.prompt(i).caption
        assert re.sub(r"\s+", " ", caption).strip() == caption
