"""The rules of the house, read from the syntax trees of all files of the packages and of the command."""

import ast
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("stages", "pipeline", "model", "evaluation", "publish")
MAY_IMPORT = {
    "stages": {"stages"},
    "pipeline": {"stages", "pipeline"},
    "model": {"stages", "model"},
    "evaluation": {"stages", "model", "evaluation"},
    "publish": {"stages", "pipeline", "model", "evaluation", "publish"},
    "layerloom": {"stages", "pipeline", "model", "evaluation", "publish"},
}
ONLY_IN = {
    "ray": ("pipeline/run.py", "model/launch.py"),
    "huggingface_hub": ("publish/", "model/"),
}
NEVER_IN = {
    "stages": {"ray", "urllib", "http", "socket", "ssl", "requests", "subprocess", "multiprocessing", "pathlib"},
    "pipeline": {"torch", "webdataset", "tensorflow", "multiprocessing", "requests"},
    "model": {"webdataset"},
    "evaluation": {"ray", "webdataset", "multiprocessing", "requests"},
    "publish": {"ray", "torch", "webdataset", "multiprocessing", "requests"},
    "layerloom": {"torch", "diffusers", "transformers", "webdataset"},  # the command starts without them
}
MAX_LINES, MAX_MEDIAN, MAX_TEST_LINES = 300, 130, 700

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files() -> list[str]:
    """All source files of the packages and of the command, relative to the root."""
    found = [p for package in PACKAGES for p in (ROOT / package).rglob("*.py")]
    return sorted(p.relative_to(ROOT).as_posix() for p in (*found, *ROOT.glob("*.py")))


def home(path: str) -> str:
    """The package that a file belongs to; a module beside the packages is its own."""
    return path.split("/")[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, module) of every absolute import, also inside functions; `from a import b` counts as `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""


def wrong_direction(path: str, tree: ast.Module) -> Iterator[str]:
    package = home(path)
    own = {*MAY_IMPORT, "tests", "benchmarks", "scripts"}
    for line, module in imported(tree):
        top = module.split(".")[0]
        if top in own - MAY_IMPORT[package]:
            yield f"{path}:{line}: {package} imports {module}"


def misplaced_library(path: str, tree: ast.Module) -> Iterator[str]:
    package = home(path)
    for line, module in imported(tree):
        top = module.split(".")[0]
        if top in NEVER_IN[package]:
            yield f"{path}:{line}: {package} imports {top}"
        if top in ONLY_IN and not path.startswith(ONLY_IN[top]):
            yield f"{path}:{line}: {top} is imported outside {', '.join(ONLY_IN[top])}"


def loose_import(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                yield f"{path}:{node.lineno}: relative import"
            if any(alias.name == "*" for alias in node.names):
                yield f"{path}:{node.lineno}: import *"


def loud(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" and not path.endswith("__main__.py"):
                yield f"{path}:{node.lineno}: print"
            if called in ("warnings.warn", "warn"):
                yield f"{path}:{node.lineno}: warnings.warn"
            if called == "open" and path.startswith("stages/"):
                yield f"{path}:{node.lineno}: open, but stages read and write no files"


def undocumented(path: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield f"{path}:1: module without docstring"
    yield from _undocumented(path, tree.body)


def _undocumented(path: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not _is_declaration(node):
            yield f"{path}:{node.lineno}: {node.name} without docstring"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(path, node.body)


def _is_declaration(node: ast.stmt) -> bool:
    """`def f(self) -> int: ...` in a protocol, which its class describes."""
    return isinstance(node, Function) and len(node.body) == 1 and ast.unparse(node.body[0]) == "..."


RULES: dict[str, Callable[[str, ast.Module], Iterator[str]]] = {
    f.__name__: f for f in (wrong_direction, misplaced_library, loose_import, loud, undocumented)
}


def broken(path: str, source: str, rule: str) -> list[str]:
    """The places of `source` that break `rule`."""
    return list(RULES[rule](path, ast.parse(source)))


@pytest.mark.parametrize("rule", RULES)
def test_no_file_breaks(rule: str) -> None:
    assert len(files()) > 30
    assert [text for f in files() for text in broken(f, (ROOT / f).read_text(), rule)] == []


def test_one_module_stands_beside_the_packages() -> None:
    assert [f for f in files() if "/" not in f] == ["layerloom.py"]


BAD = [
    ("wrong_direction", "stages/a.py", "from pipeline.plan import Planner", "stages imports pipeline.plan"),
    ("wrong_direction", "stages/b/c.py", "def f():\n    import model", "stages imports model"),
    ("wrong_direction", "pipeline/a.py", "import model.flow", "pipeline imports model.flow"),
    ("wrong_direction", "model/a.py", "from pipeline import shards", "model imports pipeline"),
    ("wrong_direction", "pipeline/a.py", "from tests.assets import photo", "pipeline imports tests.assets"),
    ("wrong_direction", "pipeline/a.py", "from layerloom import app", "pipeline imports layerloom"),
    ("wrong_direction", "model/a.py", "def f():\n    import layerloom", "model imports layerloom"),
    ("wrong_direction", "stages/a.py", "import layerloom", "stages imports layerloom"),
    ("wrong_direction", "layerloom.py", "from tests.assets import photo", "layerloom imports tests.assets"),
    ("misplaced_library", "layerloom.py", "import torch", "layerloom imports torch"),
    ("misplaced_library", "layerloom.py", "def f():\n    import ray", "ray is imported outside"),
    ("misplaced_library", "layerloom.py", "import huggingface_hub", "huggingface_hub is imported outside"),
    ("misplaced_library", "pipeline/build.py", "import ray", "ray is imported outside pipeline/run.py"),
    ("misplaced_library", "pipeline/a.py", "def f():\n    from ray import data", "ray is imported outside"),
    ("misplaced_library", "stages/a.py", "import ray", "stages imports ray"),
    ("misplaced_library", "pipeline/shards.py", "import webdataset as wds", "pipeline imports webdataset"),
    ("misplaced_library", "pipeline/x.py", "from torch import nn", "pipeline imports torch"),
    ("misplaced_library", "pipeline/build.py", "import huggingface_hub", "huggingface_hub is imported outside"),
    ("misplaced_library", "stages/a.py", "from urllib.request import urlopen", "stages imports urllib"),
    ("loose_import", "stages/a.py", "from . import types", "relative import"),
    ("loose_import", "stages/a.py", "from ..types import U8", "relative import"),
    ("loose_import", "pipeline/a.py", "from stages.types import *", "import *"),
    ("loud", "layerloom.py", "print('x')", "layerloom.py:1: print"),
    ("loud", "stages/a.py", "import warnings\nwarnings.warn('x')", "stages/a.py:2: warnings.warn"),
    ("loud", "stages/a.py", "from warnings import warn\nwarn('x')", "stages/a.py:2: warnings.warn"),
    ("loud", "stages/a.py", "def f():\n    print('x')", "stages/a.py:2: print"),
    ("loud", "stages/a.py", "with open('x') as f: pass", "stages/a.py:1: open, but stages"),
    ("undocumented", "stages/a.py", "x = 1", "module without docstring"),
    ("undocumented", "stages/a.py", '"""M."""\ndef f():\n    return 1', "f without docstring"),
    ("undocumented", "stages/a.py", '"""M."""\nclass A:\n    x = 1', "A without docstring"),
    ("undocumented", "stages/a.py", '"""M."""\nclass A:\n    """A."""\n    def f(self): return 1', "f without"),
]
GOOD = [
    ("wrong_direction", "pipeline/a.py", "from stages.types import U8\nimport pipeline.plan\nimport numpy"),
    ("wrong_direction", "layerloom.py", "import pipeline.plan, stages.types\nfrom model import __main__"),
    ("misplaced_library", "layerloom.py", "import typer"),
    ("misplaced_library", "pipeline/run.py", "def f():\n    import ray"),
    ("misplaced_library", "model/launch.py", "import ray, torch, huggingface_hub"),
    ("loose_import", "stages/a.py", "from stages.types import U8 as V"),
    ("loud", "pipeline/__main__.py", "print('x')"),
    ("loud", "stages/a.py", "import warnings\nwith warnings.catch_warnings(): pass\nconsole.print('x')"),
    ("undocumented", "stages/a.py", '"""M."""\ndef _f(): return 1\nclass P:\n    """P."""\n    def f(self): ...'),
]


@pytest.mark.parametrize(("rule", "path", "source", "text"), BAD)
def test_the_checker_sees(rule: str, path: str, source: str, text: str) -> None:
    found = broken(path, source, rule)
    assert len(found) >= 1
    assert text in found[0]


@pytest.mark.parametrize(("rule", "path", "source"), GOOD)
def test_the_checker_lets_pass(rule: str, path: str, source: str) -> None:
    assert broken(path, source, rule) == []


def too_long(lengths: dict[str, int], most: int) -> dict[str, int]:
    return {name: n for name, n in lengths.items() if n >= most}


def _lengths(names: list[str]) -> dict[str, int]:
    return {name: len((ROOT / name).read_text().splitlines()) for name in names}


def test_files_are_short() -> None:
    lengths = _lengths(files())
    assert too_long(lengths, MAX_LINES) == {}
    assert statistics.median(lengths.values()) < MAX_MEDIAN
    assert too_long({"long.py": 300, "short.py": 299}, MAX_LINES) == {"long.py": 300}


def test_test_files_are_not_endless() -> None:
    tests = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "tests").rglob("*.py"))
    assert too_long(_lengths(tests), MAX_TEST_LINES + 1) == {}
