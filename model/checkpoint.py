"""Checkpoints: everything that a run needs to go on as if it had never stopped.

    step-000000400/          appears under this name whole or not at all
      state.safetensors      trained weights, their average, AdamW's moments, by name
      state.json             step, cursor into the data, fingerprint of the configuration

There is no random state to keep: every draw comes from a generator made from seed, step and rank.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model.batch import Cursor
from model.optim import Ema
from model.transformer import ModelError


class Progress(NamedTuple):
    """How far a run is: steps done, and where the data stands."""

    step: int = 0
    cursor: Cursor = Cursor()


def named_state(module: nn.Module, optimiser: torch.optim.Optimizer, ema: Ema | None) -> dict[str, Tensor]:
    """All tensors that a run changes, each under a name of its own."""
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    state: dict[str, Tensor] = {f"weight/{n}": p.detach() for n, p in trained.items()}
    for name, parameter in trained.items():
        state |= {f"adam/{kind}/{name}": value for kind, value in optimiser.state[parameter].items()}
    return state | ({f"ema/{n}": t for n, t in ema.weights.items()} if ema else {})


def restore(module: nn.Module, optimiser: torch.optim.Optimizer, ema: Ema | None, state: Mapping[str, Tensor]) -> None:
    """The inverse of `named_state`. Raises ModelError naming a tensor that is missing or of another shape."""
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        saved = _tensor(state, f"weight/{name}", parameter.shape)
        with torch.no_grad():
            parameter.copy_(saved)
        kinds = {k.split("/")[1] for k in state if k.startswith("adam/") and k.endswith(f"/{name}")}
        optimiser.state[parameter] = {
            kind: state[f"adam/{kind}/{name}"].to(parameter.device if kind != "step" else "cpu") for kind in kinds
        }
    if ema:
        ema.load({n: _tensor(state, f"ema/{n}", t.shape) for n, t in ema.weights.items()})


def save(folder: Path, state: Mapping[str, Tensor], progress: Progress, about: Mapping[str, Any], keep: int) -> Path:
    """Write a checkpoint under its final name in one rename, then remove all but the last `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{progress.step:09d}"
    temporary = folder / f".{final.name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    save_file({k: v.detach().to("cpu").contiguous().clone() for k, v in state.items()}, temporary / "state.safetensors")
    text = {"step": progress.step, "cursor": progress.cursor._asdict(), **about}
    (temporary / "state.json").write_bytes(orjson.dumps(text, option=orjson.OPT_INDENT_2))
    for path in (*temporary.iterdir(), temporary):
        _sync(path)
    shutil.rmtree(final, ignore_errors=True)
    temporary.replace(final)
    _sync(folder)
    for old in finished(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def finished(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(p for p in folder.glob("step-*") if (p / "state.json").is_file())


def load(path: Path, about: Mapping[str, Any]) -> tuple[dict[str, Tensor], Progress]:
    """Read a checkpoint. Raises ModelError where it cannot be read or belongs to another configuration."""
    try:
        text = orjson.loads((path / "state.json").read_bytes())
        state: dict[str, Tensor] = load_file(path / "state.safetensors")
    except Exception as error:  # safetensors raises its own kinds
        raise ModelError(f"{path}: cannot be read: {error}") from None
    other = [k for k in about if text.get(k) != about[k]]
    if other:
        key = other[0]
        raise ModelError(f"{path}: belongs to another run: {key} is {text.get(key)!r}, here {about[key]!r}")
    return state, Progress(text["step"], Cursor(**text["cursor"]))


def _tensor(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    if name not in state:
        raise ModelError(f"checkpoint: '{name}' is missing")
    if state[name].shape != shape:
        raise ModelError(f"checkpoint: '{name}' must be {tuple(shape)}, is {tuple(state[name].shape)}")
    return state[name]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
