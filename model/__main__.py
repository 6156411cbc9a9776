"""The model's commands: train. They are part of the `layerloom` command."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stages.settings import ManifestError, parse

if TYPE_CHECKING:
    from model.config import TrainConfig

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

# Where the errors for users are that are not known before torch is.
_ERRORS = {"model.transformer": "ModelError", "model.train": "TrainingError"}


class MissingError(ValueError):
    """A library that only the model needs is not installed; the text says how to install it."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend. A module that was not loaded has raised nothing, so torch stays out."""
    loaded = [(sys.modules[module], name) for module, name in _ERRORS.items() if module in sys.modules]
    return (ManifestError, MissingError, *(getattr(module, name) for module, name in loaded))


Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the model runs.")]


@app.command("train")
def train_command(
    config: Annotated[Path, typer.Argument(help="What to train, e.g. manifests/train/nano-adapt.toml.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, its checkpoints and the finished model; else out/NAME.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Data set to learn from instead of the configured; may be repeated.")
    ] = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint in the folder, if there is one.")] = True,
) -> None:
    """Train a model, or go on with a run that was interrupted."""
    from model.config import load_config

    loaded = load_config(config)
    if data:
        loaded = _with_data(loaded, data)
    _trainer()(loaded, out or Path("out") / loaded.name, device, resume)


def _with_data(config: "TrainConfig", data: list[str]) -> "TrainConfig":
    given = config.model_dump()
    given["data"]["location"] = tuple(data)
    return parse(type(config), given, "--data")


def _trainer() -> "Callable[[TrainConfig, Path, str, bool], Path]":
    try:
        from model.train import train
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("model", "stages"):
            raise
        raise MissingError(f"{error.name} is not installed; pip install 'layerloom[train]'") from error
    return train


@app.callback()
def about() -> None:
    """Train the model that takes pictures apart into layers."""


if __name__ == "__main__":
    app()
