"""Fingerprints see what decides the bytes, and differences read well."""

import ast
import hashlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipeline import version
from pipeline.version import code_version, differences, digest, library_versions, model_library_versions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A little house of modules that stands in for ours."""
    sources = {
        "pipeline/__init__.py": "",
        "pipeline/top.py": "import json\nfrom pipeline import side\nfrom stages.deep import thing\n",
        "pipeline/side.py": "def f():\n    import stages.late\n",
        "pipeline/apart.py": "x = 1\n",
        "stages/__init__.py": "",
        "stages/deep/__init__.py": "from stages.deep.inner import thing\n",
        "stages/deep/inner.py": "import stages.deep\nthing = 'é'\n",
        "stages/late.py": "y = 2\n",
        "stages/apart.py": "import pipeline.top\n",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    code_version.cache_clear()
    yield tmp_path
    code_version.cache_clear()


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("pipeline/top.py", True),
        ("pipeline/side.py", True),
        ("pipeline/__init__.py", True),
        ("stages/deep/__init__.py", True),
        ("stages/deep/inner.py", True),
        ("stages/late.py", True),  # imported inside a function of a module that is imported
        ("pipeline/apart.py", False),
        ("stages/apart.py", False),
    ],
)
def test_code_version_follows_imports(changed: str, matters: bool, house: Path) -> None:
    before = code_version("pipeline.top")
    path = house / changed
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert code_version("pipeline.top") == before
    code_version.cache_clear()
    assert (code_version("pipeline.top") != before) is matters


def test_code_version_of_the_rendering_path_leaves_out_what_cannot_change_bytes() -> None:
    names = version._closure("pipeline.sample")
    assert {"stages.composite", "stages.alpha", "stages.rng", "pipeline.plan", "pipeline.layout"} <= names
    assert names.isdisjoint({"pipeline.run", "pipeline.build", "pipeline.progress", "pipeline.__main__"})


def test_code_version_is_the_same_in_another_process() -> None:
    text = "from pipeline.version import code_version; import sys; sys.stdout.write(code_version('pipeline.sample'))"
    other = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    code_version.cache_clear()
    assert other.stdout == code_version("pipeline.sample")


def test_library_versions_name_all_that_the_rendering_and_preparing_code_imports() -> None:
    tops = set()
    for name in version._closure("pipeline.sample") | version._closure("pipeline.prepare"):
        tree = ast.parse(version._file(name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                tops |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                tops.add(node.module.split(".")[0])
    shipped = metadata.packages_distributions()
    used = {d.lower().replace("_", "-") for top in tops - {"stages", "pipeline"} for d in shipped.get(top, [])}
    # Tables, the licence gate, and the bytes of downloads: no pixels pass through them.
    no_bytes = {"pyarrow", "license-expression", "datasets", "fsspec"}
    assert {"numpy", "numba", "pillow", "orjson"} <= used
    assert used - no_bytes <= set(library_versions()) | set(model_library_versions())
    assert all(text == metadata.version(name) for name, text in library_versions().items())


def test_digest() -> None:
    assert digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(b"") == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a: 1 -> 2"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["a.b[1]: 2 -> 3"]),
        ({"a": 1}, {"b": 1}, ["a: 1 -> None", "b: None -> 1"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a[1]: None -> 2"]),
        ({"s": [{"name": "x"}, {"name": "y"}]}, {"s": [{"name": "x"}]}, ["s[1]: {'name': 'y'} -> None"]),
        ({"a": 1, "b": 2}, {"b": 3, "a": 0}, ["a: 1 -> 0", "b: 2 -> 3"]),
        ({"a": "x" * 100}, {"a": "y"}, [f"a: {'x' * 57}... -> y"]),
        ({"a": {"b": 1}}, {"a": 3}, ["a: {'b': 1} -> 3"]),
        ([1, 2], [1, 5], ["[1]: 2 -> 5"]),
    ],
)
def test_differences(old: object, new: object, lines: list[str]) -> None:
    assert differences(old, new) == lines
