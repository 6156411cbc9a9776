"""What of a model's folder is published, with a card that is written anew for its place on the Hub."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import orjson
from safetensors import safe_open

from model.config import ROOT
from model.record import RECORD
from publish.checkpoint import Checkpoint, read_checkpoint
from publish.errors import PublishError
from publish.model_card import model_card
from publish.remote import Item, Target, item_of
from publish.scores import read_scores
from publish.terms import licence_of

_CARD, _METRICS = "README.md", "metrics.jsonl"
_FILES = {
    "layers": ("layers.json", "layers.safetensors", "pytorch_lora_weights.safetensors"),
    "amodal": ("amodal.json", "amodal.safetensors"),
    "codec": (),
}
_BESIDE = ("LICENSE", "LICENSE.md", "LICENSE.txt", "NOTICE", "NOTICE.md", RECORD, _METRICS)
_FOLDERS = {"layers": ("transformer", "vae", "rgba_vae"), "amodal": (), "codec": ("rgba_vae",)}
_WEIGHTS = ".safetensors"
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_TEXTS = (".json", ".jsonl", ".md", ".txt")
_SKIPPED = ("checkpoints", "tensorboard", "ray")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{20,}")


def prepare_model(folder: Path, repo: str, reports: Sequence[Path] = (), license: str | None = None) -> list[Item]:
    """The files of a finished model, or of the run which made it, for the model repository `repo` on the Hub.

    Its own README.md is replaced by a card, with the scores that `reports` (`report.json` of the evaluation) have of
    this very checkpoint. `license` is a licence's id; else the one of the base or of the folder's README.md counts.
    A base on the Hub may be asked there for its licence. The same folder and reports give the same files.

    Raises:
        ModelError: a file of the model cannot be read.
        PublishError: no model, or a part of it missing or damaged; a pickle; a link that leaves the folder; a base or
            network that only this machine has; a text that tells a path or token of it; no licence; no scores of this
            checkpoint in a report.
    """
    checkpoint = read_checkpoint(folder)
    _refuse(checkpoint.folder)
    items = [item_of(path, source) for path, source in _sources(checkpoint)]
    _require(checkpoint, {item.path for item in items})
    scored = _scores(checkpoint, reports)
    card = model_card(checkpoint, repo, licence_of(checkpoint, license), scored)
    items.append(item_of(_CARD, card.encode()))
    for item in items:
        _check_private(item, checkpoint.folder)
    return sorted(items)


def target_of(items: Sequence[Item], repo: str, tag: str | None, private: bool, merge: bool) -> Target:
    """Where these files go. The tag names the weights, by a hash of theirs, unless one is given."""
    weights = "".join(item.sha256 for item in items if item.path.endswith(_WEIGHTS))
    short = hashlib.sha256(weights.encode()).hexdigest()[:12]
    title = f"layerloom model {repo.split('/')[-1]} {short}"
    return Target(repo, "model", title, tag or f"weights-{short}", (f"*{_WEIGHTS}",), private, merge)


def _scores(checkpoint: Checkpoint, reports: Sequence[Path]) -> Any:
    if reports and checkpoint.kind != "layers":
        raise PublishError(f"{checkpoint.folder}: only layer models are scored, this is of kind '{checkpoint.kind}'")
    return read_scores(checkpoint.folder, reports)


def _refuse(folder: Path) -> None:
    """Raise PublishError for pickles, which run code when they are read, and for links that leave the folder."""
    found = list(_walk(folder))
    if pickles := [path.relative_to(folder).as_posix() for path in found if path.suffix.lower() in _PICKLES]:
        raise PublishError(f"{folder}: pickles are not published: {', '.join(pickles)}; remove or convert them")
    root = folder.resolve()
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise PublishError(f"{path}: is a link that leaves the folder; put the file itself there")


def _walk(folder: Path) -> Iterator[Path]:
    """All entries but hidden ones and what a run keeps for itself, in order; links are not followed."""
    for entry in sorted(folder.iterdir()):
        if not entry.name.startswith(".") and entry.name not in _SKIPPED:
            yield entry
            if entry.is_dir() and not entry.is_symlink():
                yield from _walk(entry)


def _sources(checkpoint: Checkpoint) -> Iterator[tuple[str, Path | bytes]]:
    """(path in the repository, file or content)."""
    folder, kind = checkpoint.folder, checkpoint.kind
    for name in (*_FILES[kind], *_BESIDE):
        if (folder / name).is_file():
            yield name, folder / name
    if not (folder / _METRICS).is_file() and folder.name == "model" and (folder.parent / _METRICS).is_file():
        yield _METRICS, folder.parent / _METRICS  # where a run writes it
    for part in _FOLDERS[kind]:
        for path in sorted((folder / part).glob("*")):
            if path.is_file() and path.suffix in (".json", ".safetensors") and not path.name.startswith("."):
                yield f"{part}/{path.name}", _config(path) if path.name == "config.json" else path


def _config(path: Path) -> Path | bytes:
    """Without the place that diffusers read the part from, which it writes into the configuration."""
    data = _json(path.read_bytes(), str(path))
    if not isinstance(data, dict) or "_name_or_path" not in data:
        return path
    del data["_name_or_path"]
    return orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n"


def _json(data: bytes, name: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PublishError(f"{name}: not JSON: {error}") from None


def _require(checkpoint: Checkpoint, paths: set[str]) -> None:
    """Raise PublishError where a part is missing, without which the model could not be loaded."""
    spec = checkpoint.spec
    wanted = set(_FILES[checkpoint.kind])
    if spec is not None and not spec.lora:
        wanted.discard("pytorch_lora_weights.safetensors")
    parts = {"codec": ["rgba_vae"], "amodal": [], "layers": []}[checkpoint.kind]
    if spec is not None and spec.base is None:
        parts += ["transformer", *(["vae"] if spec.codec == "vae" else [])]
    for part in parts:
        weights = [path for path in paths if path.startswith(f"{part}/") and path.endswith(".safetensors")]
        wanted |= {f"{part}/config.json", *(weights or [f"{part}/diffusion_pytorch_model.safetensors"])}
    if missing := sorted(wanted - paths):
        raise PublishError(f"{checkpoint.folder}: incomplete, without {', '.join(missing)}; finish the run first")


def _check_private(item: Item, folder: Path) -> None:
    """Raise PublishError where a text, or what is said beside weights, tells a path of this machine or a token."""
    name = item.source if isinstance(item.source, Path) else item.path
    if item.path.endswith(".safetensors"):
        text = _said_beside(Path(str(name)))
    elif item.path.endswith(_TEXTS) or "." not in item.path:
        data = item.source if isinstance(item.source, bytes) else item.source.read_bytes()
        text = data.decode(errors="replace")
        if item.path.endswith(".json"):
            _check_values(_json(data, str(name)), str(name))
    for private in _private(folder):
        if re.search(rf"(?<![\w.:/-]){re.escape(private)}(?![\w-])", text):
            raise PublishError(f"{name}: would tell a path of this machine, '{private}'; take it out")
    if _TOKEN.search(text) or ((token := huggingface_hub.get_token()) and token in text):
        raise PublishError(f"{name}: holds a token of the Hub; take it out, and revoke the token")


def _check_values(value: Any, name: str, key: str = "") -> None:
    """Raise PublishError for a text in a JSON file that is an absolute path."""
    for inner, item in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        _check_values(item, name, f"{key}.{inner}" if key else str(inner))
    if isinstance(value, str) and re.match(r"/\w|~[\w/]|[A-Za-z]:\\", value):
        raise PublishError(f"{name}: {key}: '{value}' is a path of this machine; take it out")


def _private(folder: Path) -> set[str]:
    places = {Path.home(), Path.cwd(), ROOT, folder.absolute(), folder.resolve()}
    return {str(place) for place in places if len(place.parts) > 1 and str(place) != os.sep}


def _said_beside(path: Path) -> str:
    """The metadata in the header of a safetensors file. Raises PublishError for one that is damaged or cut short."""
    try:
        with safe_open(path, "np") as file:
            return "\n".join(f"{key} {value}" for key, value in (file.metadata() or {}).items())
    except Exception as error:  # safetensors raises its own kinds
        raise PublishError(f"{path}: cannot be read: {error}") from None
