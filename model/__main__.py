"""The model's commands: train, precompute, decompose, edit, serve. They are part of the `layerloom` command."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from stages.lazy import installed
from stages.settings import ManifestError, parse

if TYPE_CHECKING:
    from model.config import TrainConfig

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
_console = Console()

# Where the errors for users are that are not known before torch is.
_ERRORS = {
    "model.data.download": "DataError",
    "model.launch": "LaunchError",
    "model.pictures": "PictureError",
    "model.serve.launch": "ServeError",
    "model.train": "TrainingError",
    "model.transformer": "ModelError",
}


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
    workers: Annotated[int, typer.Option(min=1, help="Processes; more than one, or an address, run on Ray Train.")] = 1,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None,
) -> None:
    """Train a model, or go on with a run that was interrupted. `torchrun -m layerloom train ...` works too."""
    from model.config import load_config

    loaded = load_config(config)
    if data:
        loaded = _with_data(loaded, data)
    folder = out or Path("out") / loaded.name
    if workers == 1 and address is None:
        _trainer()(loaded, folder, device, resume)
        return
    with installed(_missing):
        from model.launch import launch
    launch(loaded, folder.resolve(), device, num_workers=workers, address=address, resume=resume)


@app.command("precompute")
def precompute_command(
    config: Annotated[Path, typer.Argument(help="What is to be trained, e.g. manifests/train/flux-fill.toml.")],
    out: Annotated[Path, typer.Option(help="Folder for the latents; what it holds already is not made again.")],
    data: Annotated[
        list[str] | None, typer.Option(help="Data set to encode instead of the configured; may be repeated.")
    ] = None,
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16"], typer.Option(help="Type to store; 16 bits take half the space.")
    ] = "float32",
    device: Device = "cpu",
) -> None:
    """Write what the codec and the text encoders say of a data set, so that training does without them."""
    from model.config import load_config

    loaded = load_config(config)
    if data:
        loaded = _with_data(loaded, data)
    with installed(_missing):
        from model.precompute import precompute
    with Progress(console=_console, transient=True) as bar:
        task = bar.add_task("samples")
        precompute(loaded, out, device, dtype, lambda done, total: bar.update(task, completed=done, total=total))
    _console.print(f'{out}: train with precomputed = "{out}"', markup=False, highlight=False, soft_wrap=True)


def _with_data(config: "TrainConfig", data: list[str]) -> "TrainConfig":
    given = config.model_dump()
    given["data"]["location"] = tuple(data)
    return parse(type(config), given, "--data")


def _trainer() -> "Callable[[TrainConfig, Path, str, bool], Path]":
    with installed(_missing):
        from model.train import train
    return train


def _missing(name: str) -> MissingError:
    extra = "serve" if name.split(".")[0] == "gradio" else "train"
    return MissingError(f"{name} is not installed; pip install 'layerloom[{extra}]'")


@app.command("decompose")
def decompose_command(
    photo: Annotated[Path, typer.Argument(help="Picture to take apart.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the layers and a sheet of all.")],
    mask: Annotated[
        Path | None, typer.Option(help="Picture of the same size, white on the object; else IS-Net finds the object.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Folder or Hub name of a model; else weights/nano-adapt.")] = None,
    matte_model: Annotated[Path | None, typer.Option(help="ONNX matting network to find the object with.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the sampler; else 1 for pixels, 28 for FLUX.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    size: Annotated[
        int | None, typer.Option(help="The model works at about SIZE x SIZE pixels; else what it was made for.")
    ] = None,
    detail: Annotated[bool, typer.Option(help="Take edges and visible detail from the picture.")] = True,
    paste_back: Annotated[
        bool, typer.Option("--paste-back", help="Keep the picture's own pixels away from the mask.")
    ] = False,
    device: Device = "cpu",
) -> None:
    """Take a picture apart: the object with its alpha, and the background without it."""
    with installed(_missing):
        from model.commands.decompose import Options, decompose_file

    options = Options(model, matte_model, steps, seed, size, detail, paste_back, device)
    decompose_file(photo, mask, out, options)
    _console.print(f"{out}: foreground.png, background.png, recomposed.png, sheet.png", markup=False, highlight=False)


@app.command("edit")
def edit_command(
    layers: Annotated[Path, typer.Argument(help="Folder with foreground.png and background.png.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The edited picture, a PNG file.")],
    move: Annotated[str, typer.Option(help="Pixels to move the object right and down, such as 40,-10.")] = "0,0",
    scale: Annotated[float, typer.Option(help="Factor of the object's size.")] = 1.0,
    flip: Annotated[bool, typer.Option("--flip", help="Mirror the object left-right.")] = False,
    recolour: Annotated[
        str | None, typer.Option(help="Hue in degrees, such as 210, or a colour, such as #1e90ff.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Leave the object out.")] = False,
) -> None:
    """Move, scale, mirror, recolour or remove the object of a picture that was taken apart."""
    from model.commands.edit import edit_folder

    given = {"move": move, "scale": scale, "flip": flip, "recolour": recolour, "remove": remove}
    edit_folder(layers, given, out)


@app.command("serve")
def serve_command(
    model: Annotated[str | None, typer.Option(help="Folder or Hub name of a model; else weights/nano-adapt.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; else this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 7860,
    matte_model: Annotated[Path | None, typer.Option(help="ONNX matting network for pictures without a mask.")] = None,
    device: Device = "cpu",
) -> None:
    """Open a page that takes pictures apart, with a brush for the mask and a canvas to drag the object on."""
    with installed(_missing):
        from model.serve.launch import serve

    def ready(address: str) -> None:
        _console.print(f"{address}: open it in a browser; Ctrl-C ends it", markup=False, highlight=False)

    serve(model, host, port, matte_model, device, ready)


@app.callback()
def about() -> None:
    """Train the model that takes pictures apart into layers, and use it."""


if __name__ == "__main__":
    app()
