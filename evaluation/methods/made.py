"""A method that is ready to run, its options, and the key of what it answers."""

import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import orjson

from evaluation.errors import EvalError
from evaluation.layers import Method
from stages.lazy import one_line, silent
from stages.settings import ManifestError, did_you_mean, parse
from stages.types import Frozen

_WEIGHTS = (".safetensors", ".json", ".txt", ".model")
REVISION = 1  # goes up when methods here answer otherwise with the same options, weights and libraries

Options = TypeVar("Options", bound=Frozen)


class Made(NamedTuple):
    """A method and its key: a short text that another kind, option, weight or version of a library would change."""

    method: Method
    key: str


class NoOptions(Frozen):
    """Of a method that has nothing to choose."""


def checked(kind: str, options: type[Options], make: Callable[[Options], Made]) -> Callable[..., Made]:
    """`make` with keyword arguments in place of its options. Values may be texts, such as "8" or "true".

    What it returns raises EvalError for an unknown option and for a value that an option cannot have; the text names
    kind, option and value. Several wrong values are told on a line each.
    """

    def made(**given: object) -> Made:
        for key in given:
            if key not in options.model_fields:
                near = did_you_mean(key, options.model_fields) if options.model_fields else "; it has none"
                raise EvalError(f"method '{kind}': unknown option '{key}'{near}")
        try:
            chosen = parse(options, given, f"method '{kind}'")
        except ManifestError as error:
            raise EvalError(str(error)) from None
        return make(chosen)

    return made


def key_of(kind: str, options: Frozen, libraries: Iterable[ModuleType], weights: str = "") -> str:
    """`key_from` with the versions of the modules `libraries`."""
    return key_from(kind, options, {module.__name__: module.__version__ for module in libraries}, weights)


def key_from(kind: str, options: Frozen, versions: Mapping[str, str], weights: str = "") -> str:
    """`kind` and 16 hexadecimal digits of SHA-256 over it, options (but `path`), weights, versions of libraries."""
    about = {
        "kind": kind,
        "revision": REVISION,
        "options": options.model_dump(exclude={"path"}),
        "weights": weights,
        "libraries": dict(versions),
    }
    return f"{kind}-{hashlib.sha256(orjson.dumps(about, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]}"


def file_hash(path: Path) -> str:
    """SHA-256 of a file. Raises EvalError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvalError(f"{path}: cannot be read: {error.strerror or error}") from None


def files_hash(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over the names of files, relative to `root`, and their hashes. Raises EvalError as `file_hash` does."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{file_hash(path)}".encode())
    return digest.hexdigest()


def weights_hash(folder: Path, pattern: str = "**/*") -> str:
    """`files_hash` of the weights, settings and vocabularies in a model's folder, of those that match `pattern`."""
    return files_hash(folder, (p for p in folder.glob(pattern) if p.suffix in _WEIGHTS and p.is_file()))


def needed(kind: str, module: str, extra: str) -> Any:
    """The module `module`, imported in silence. Raises EvalError that names the extra which installs what it lacks."""
    try:
        with silent():
            return importlib.import_module(module)
    except ImportError as error:
        advice = f"pip install 'layerloom[{extra}]'"
        raise EvalError(f"method '{kind}': {module} cannot be imported ({one_line(error)}); {advice}") from error
