"""Models by name: a folder here, or a model of the Hugging Face Hub, which is fetched into the Hub's own cache."""

import re
from pathlib import Path
from typing import NamedTuple

from model.config import ROOT
from model.transformer import ModelError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_FILES = ["*.safetensors", "*.json", "*.txt", "*.model", "README.md"]  # neither pickles nor code


class Located(NamedTuple):
    """Where a model lies on this machine, and at which revision a base is wanted that lies elsewhere."""

    folder: str
    revision: str | None


def looks_like_id(name: str) -> bool:
    """Whether a name has the form of a Hub id, `org/name`. So has many a relative path."""
    return bool(_ID.fullmatch(name)) and ".." not in name and "--" not in name


def shipped(name: str) -> str | None:
    """The name, such as "weights/nano-fill", of a folder of the repository's own weights; None for any other."""
    found = (ROOT / name if not Path(name).is_dir() else Path(name)).resolve()
    inside = found.is_dir() and (ROOT / "weights") in found.parents
    return found.relative_to(ROOT).as_posix() if inside else None


def locate(model: str, revision: str | None = None) -> Located:
    """The folder of a model. `org/name` that is no folder is fetched from the Hub, at `revision`; for a folder,
    `revision` is that of its base, where that lies elsewhere.

    A path whose first part is a folder here is meant as a path: the Hub is not asked for `out/model` beside `out`.

    Raises:
        ModelError: the Hub cannot be reached, has no such model or revision, or denies it; no token is told.
    """
    if Path(model).is_dir() or not looks_like_id(model):
        return Located(model, revision)
    first = model.split("/")[0]
    if Path(first).is_dir() or (ROOT / first).is_dir():
        raise ModelError(f"{model}: no such folder; the Hub was not asked, because '{first}' is a folder here")
    return Located(_fetched(model, revision), None)


def _fetched(model: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(model, revision=revision, allow_patterns=_FILES))
    except Exception as error:  # the Hub's, the network's and the disk's errors share no base but this
        why = _why(model, revision, error)
        raise ModelError(f"{model}: no such folder, nor to be had from the Hub: {why}") from None


def _why(model: str, revision: str | None, error: Exception) -> str:
    """A reason in our own words: a library's may hold addresses with signatures or tokens."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return f"access is gated; accept its licence at https://huggingface.co/{model} and log in with `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision '{revision}'"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return "there is no such model, or it is private; log in with `hf auth login` (or set HF_TOKEN)"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "the Hub cannot be reached, and no copy is in its cache"
    said = f" ({status})" if status else f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{said}"
