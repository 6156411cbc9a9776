"""Answers and scores are used again for the same input, by the same method, and for nothing else."""

from pathlib import Path

import numpy as np
import pytest

from evaluation.cache import Cache, Record, check_answer, file_name, fingerprint, input_of, truth_of
from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.sample import Item


def item(seed: int = 0, id: str = "a") -> Item:
    g = np.random.default_rng(seed)
    return Item(id, g.integers(0, 256, (6, 8, 3), np.uint8), g.random((6, 8)) < 0.5)


class Counting:
    """A method that says how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, given: Item) -> Answer:
        self.asked.append(given.id)
        return Answer(255 - given.picture, np.dstack([given.picture, given.picture[..., :1]]))


def equal(a: Answer, b: Answer) -> bool:
    return all(x is y is None or (x == y).all() for x, y in zip(a, b, strict=True))


def test_a_second_run_reads_what_the_first_one_made(tmp_path: Path) -> None:
    method = Counting()
    first, record = Cache(tmp_path).answer(item(), method)
    again, read = Cache(tmp_path).answer(item(), method)
    assert method.asked == ["a"]
    assert equal(first, again)
    assert read == record
    assert record.seconds is not None
    assert record.seconds >= 0


@pytest.mark.parametrize(
    "other",
    [
        item(1),
        item()._replace(mask=np.zeros((6, 8), np.bool_)),
        item()._replace(picture=item().picture.reshape(8, 6, 3), mask=np.zeros((8, 6), np.bool_)),
    ],
)
def test_another_input_is_asked_again(tmp_path: Path, other: Item) -> None:
    method, cache = Counting(), Cache(tmp_path)
    cache.answer(item(), method)
    found, _ = cache.answer(other, method)
    assert method.asked == ["a", "a"]
    assert found.background is not None
    assert (found.background == 255 - other.picture).all()


def test_another_truth_is_not_asked_again(tmp_path: Path) -> None:
    method, cache = Counting(), Cache(tmp_path)
    cache.answer(item(), method)
    known = item()._replace(clean=item(2).picture)
    cache.answer(known, method)
    assert method.asked == ["a"]
    assert input_of(known) == input_of(item())
    assert truth_of(known) != truth_of(item())


@pytest.mark.parametrize("part", ["background.png", "foreground.png", "json"])
@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_what_is_damaged_is_made_again(tmp_path: Path, part: str, damage: bytes | None) -> None:
    method, cache = Counting(), Cache(tmp_path)
    first, _ = cache.answer(item(), method)
    path = cache.path("a", part)
    path.unlink() if damage is None else path.write_bytes(damage)
    again, _ = cache.answer(item(), method)
    assert len(method.asked) == 2
    assert equal(first, again)


def test_a_layer_that_is_not_made_stays_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.answer(item(), lambda given: Answer(background=given.picture))
    found, record = cache.answer(item(), Counting())
    assert found.foreground is None
    assert record.layers == ["background"]


def test_scores_are_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    _, record = cache.answer(item(), Counting())
    cache.write("a", record._replace(scored="p", scores={"psnr": 1.5, "sad": None}))
    assert cache.answer(item(), Counting())[1] == Record(*record[:3], "p", {"psnr": 1.5, "sad": None})


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(np.zeros((6, 7, 3), np.uint8)), r"^a: background must be uint8 \(6, 8, 3\), is uint8 \(6, 7, 3\)$"),
        (
            Answer(None, np.zeros((6, 8, 3), np.uint8)),
            r"^a: foreground must be uint8 \(6, 8, 4\), is uint8 \(6, 8, 3\)$",
        ),
        (Answer(np.zeros((6, 8, 3), np.float32)), r"^a: background must be uint8 \(6, 8, 3\), is float32 \(6, 8, 3\)$"),
    ],
)
def test_answers_of_another_size_or_kind_are_refused(tmp_path: Path, answer: Answer, text: str) -> None:
    with pytest.raises(EvalError, match=text):
        check_answer(answer, item())
    with pytest.raises(EvalError, match=text):
        Cache(tmp_path).answer(item(), lambda _: answer)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("id", ["a", "a/b", "..", ".", "a b", "ü", "a\\b", "%2F", "con:x", "a.b"])
def test_every_id_is_one_file_in_the_folder(tmp_path: Path, id: str) -> None:
    cache = Cache(tmp_path / "c")
    found, _ = cache.answer(item(id=id), Counting())
    assert len(list((tmp_path / "c").iterdir())) == 3
    assert equal(cache.answer(item(id=id), Counting())[0], found)


def test_different_ids_have_different_files() -> None:
    ids = ["a", "a/b", "a%2Fb", "..", ".", "%2E", "a b", "a+b"]
    assert len({file_name(id) for id in ids}) == len(ids)


def test_fingerprints_tell_shape_type_and_order() -> None:
    a = np.arange(6, dtype=np.uint8)
    others = [a.reshape(2, 3), a.astype(np.int16), a[::-1], [0, 1, 2, 3, 4, 5], a[:5]]
    found = {fingerprint(x) for x in [a, *others]}
    assert len(found) == 6
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
