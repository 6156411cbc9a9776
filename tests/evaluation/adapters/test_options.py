"""Options of adapters, and what all adapters have in common."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from evaluation.adapters import ADAPTERS
from evaluation.adapters.listed import Listed, unique
from evaluation.adapters.options import adapter
from evaluation.errors import EvalError
from evaluation.sample import Dataset, Item, Missing
from stages.decode import DecodeError
from tests.evaluation.adapters.folders import noise

NAMES = ["plain", "shards", "rord", "ober", "removalbench", "bgmatting", "mulan", "aim500", "am2k", "p3m500"]
NAMES += ["ppm100", "cocoa", "kins"]


def made(id):
    return Item(id, noise(0), None)


@adapter
def open_thing(
    root: Path, *, how: Literal["near", "far"] = "near", count: int = 3, deep: bool = False, name: str = "a"
) -> Dataset:
    """An adapter."""
    return Listed([how, str(count), str(deep), name], made)


@adapter
def open_bare(root: Path) -> Dataset:
    """An adapter without options."""
    return Listed([], made)


def test_options_arrive(tmp_path):
    assert open_thing(tmp_path).ids == ("3", "False", "a", "near")
    assert open_thing(tmp_path, how="far", count=0, deep=True, name="b").ids == ("0", "True", "b", "far")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"hwo": "far"}, "adapter 'thing': unknown option 'hwo'; did you mean 'how'?"),
        ({"zzz": 1}, "adapter 'thing': unknown option 'zzz'; choose from count, deep, how, name"),
        ({"how": "nigh"}, "adapter 'thing': option 'how' must be one of 'near', 'far', is 'nigh'"),
        ({"how": ["near"]}, "adapter 'thing': option 'how' must be one of 'near', 'far', is ['near']"),
        ({"count": -1}, "adapter 'thing': option 'count' must be a whole number from 0, is -1"),
        ({"count": True}, "adapter 'thing': option 'count' must be a whole number from 0, is True"),
        ({"count": 1.0}, "adapter 'thing': option 'count' must be a whole number from 0, is 1.0"),
        ({"deep": 1}, "adapter 'thing': option 'deep' must be of type bool, is 1"),
        ({"name": 1}, "adapter 'thing': option 'name' must be of type str, is 1"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, text):
    with pytest.raises(EvalError, match=f"^{re.escape(text)}$"):
        open_thing(tmp_path, **options)


def test_options_of_an_adapter_without_any(tmp_path):
    with pytest.raises(EvalError, match=r"^adapter 'bare': unknown option 'how'; it has none$"):
        open_bare(tmp_path, how="far")


def test_every_adapter_is_there_and_documented():
    assert list(ADAPTERS) == NAMES
    for name, opening in ADAPTERS.items():
        assert opening.__name__ == f"open_{name}"
        assert "Raises EvalError" in opening.__doc__
        for option, parameter in list(inspect.signature(opening).parameters.items())[1:]:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
            assert parameter.default is not inspect.Parameter.empty, f"{name}: {option} has no default"


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_root_is_an_error(tmp_path, name):
    gone = tmp_path / "gone"
    with pytest.raises(EvalError, match=f"^{re.escape(str(gone))}: no such folder$"):
        ADAPTERS[name](gone)
    (tmp_path / "file").write_text("x")
    with pytest.raises(EvalError, match=r"file: no such folder$"):
        ADAPTERS[name](tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvalError) as e:
        ADAPTERS[name](tmp_path / "empty")
    assert str(e.value).startswith(f"{tmp_path / 'empty'}: no ")
    assert "looked for" in str(e.value) or "no index.json" in str(e.value)
    with pytest.raises(EvalError, match=f"adapter '{name}': unknown option 'colour'"):
        ADAPTERS[name](tmp_path / "empty", colour=1)


def test_reading_and_missing():
    def make(id):
        if id == "b":
            raise DecodeError("corrupt", "b.png: damaged")
        return made(id)

    dataset = Listed(["c", "b", "a/x"], make)
    assert dataset.ids == ("a/x", "b", "c")
    assert dataset.read("b") == Missing("b", "b.png: damaged")
    assert isinstance(dataset.read("a/x"), Item)
    with pytest.raises(AssertionError, match="no id 'd'"):
        dataset.read("d")


@pytest.mark.parametrize("id", ["", "/a", "a/", "a//b", "../a", "a/..", "./a", "a\nb", "a\0"])
def test_ids_are_relative_paths(id):
    with pytest.raises(EvalError, match="is no id of an item: it must be a relative path"):
        Listed([id], made)


def test_ids_that_come_again_get_a_number():
    assert unique([("a", 1), ("a", 2), ("a-2", 3), ("a", 4)]) == {"a": 1, "a-2": 2, "a-2-2": 3, "a-3": 4}


def test_nothing_heavy_is_loaded():
    code = "import sys, evaluation.adapters; print([m for m in ('torch', 'diffusers', 'skimage') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
