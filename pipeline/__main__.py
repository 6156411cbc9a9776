"""The data engine's commands, from build to export. Part of the `layerloom` command."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from pipeline.run import ClusterError, Machine
from pipeline.shards import ShardError
from pipeline.sources import AssetError
from stages.settings import ManifestError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
assets = typer.Typer(no_args_is_help=True, help="What scenes are made of.")
app.add_typer(assets, name="assets")
_console = Console()
_errors = Console(stderr=True)


def default_cache() -> Path:
    """`$LAYERLOOM_CACHE`, else `layerloom` in the user's cache folder (XDG base directory specification)."""
    if chosen := os.environ.get("LAYERLOOM_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "layerloom"


Out = Annotated[Path, typer.Option(help="Folder of the data set.")]
Built = Annotated[Path, typer.Argument(help="Folder of a data set that was built.")]
Workers = Annotated[int, typer.Option(min=0, help="Worker processes; 0 runs serially, without Ray.")]
Address = Annotated[str | None, typer.Option(help="Address of a Ray cluster; RAY_ADDRESS counts too.")]
Cache = Annotated[Path, typer.Option(default_factory=default_cache, help="Folder for downloads and prepared assets.")]
Device = Annotated[Literal["cpu", "cuda"], typer.Option(help="Where matting, drawing and captioning models run.")]
GpuShare = Annotated[float, typer.Option(min=0.01, max=64, help="GPUs that one worker with a model takes.")]
_CORES = os.cpu_count() or 1


@app.command("build")
def build_command(
    manifest: Annotated[Path, typer.Argument(help="What to build, e.g. manifests/data/sample.toml.")],
    out: Out,
    cache: Cache,
    workers: Workers = _CORES,
    address: Address = None,
    device: Device = "cpu",
    gpu_share: GpuShare = 1.0,
) -> None:
    """Build a data set, or go on with one that was interrupted."""
    from pipeline.build import build
    from pipeline.card import describe
    from pipeline.load import load_manifest
    from pipeline.progress import Terminal
    from pipeline.summary import print_summary

    loaded = load_manifest(manifest)
    with Terminal(_console) as terminal:
        machine = Machine(workers, address, device, gpu_share)
        summary = build(loaded, manifest.parent, out.resolve(), cache.resolve(), machine, terminal)
    if not summary.failed:
        describe(out)
    print_summary(_console, loaded, out, summary)
    if summary.failed:
        raise ShardError(f"{len(summary.failed)} shards failed; run again to retry them:\n" + "\n".join(summary.failed))


@app.command("validate")
def validate_command(
    out: Built,
    cache: Cache,
    rerender: Annotated[int, typer.Option(min=0, help="Recipes to render again and compare; 0 needs no cache.")] = 24,
    workers: Workers = _CORES,
    address: Address = None,
) -> None:
    """Check a finished data set: every shard, member and promise. Exit status 1 if one is broken."""
    from pipeline.progress import Terminal
    from pipeline.validate import print_report, validate

    with Terminal(_console) as terminal:
        report = validate(out.resolve(), cache.resolve(), rerender, workers, address, terminal)
    print_report(_console, report)
    if not report.ok:
        raise typer.Exit(1)


@app.command("inspect")
def inspect_command(
    out: Built, count: Annotated[int, typer.Option(min=1, max=400, help="Samples on the contact sheet.")] = 16
) -> None:
    """Look at a finished data set: preview.png, distributions.png, and what was asked beside what came out."""
    from pipeline.plots import write_plots
    from pipeline.preview import write_preview
    from pipeline.report import report, rich_table

    _console.print(rich_table(report(out)))
    for path in (write_preview(out, count), write_plots(out)):
        _console.print(f"look at {path}", highlight=False, markup=False, soft_wrap=True)


@app.command("explore")
def explore_command(
    out: Built,
    count: Annotated[int, typer.Option(min=1, help="Samples on the page, spread evenly over the build.")] = 2000,
    full: Annotated[int, typer.Option(min=0, help="How many of them with layers of full size.")] = 12,
) -> None:
    """Write explore.html beside a data set: a grid to filter, scenes taken apart, an object to drag."""
    from pipeline.explore import explore
    from pipeline.progress import Terminal

    with Terminal(_console) as terminal:
        path = explore(out, count, full, terminal)
    _console.print(f"look at {path}", highlight=False, markup=False, soft_wrap=True)


@app.command("status")
def status_command(out: Built) -> None:
    """Say how far a build is; also while it runs."""
    from pipeline.status import lines, status

    for line in lines(status(out)):
        _console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command("render")
def render_command(
    out: Built,
    key: Annotated[str, typer.Argument(help="A sample, e.g. train_000000017.")],
    cache: Cache,
    to: Annotated[Path, typer.Option(help="Folder for its seven files.")] = Path("build/render"),
) -> None:
    """Make one sample again from its recipe. Exit status 1 if its bytes are not the stored ones."""
    from pipeline.rerender import lines, rerender

    made = rerender(out.resolve(), cache.resolve(), key, to)
    for line in lines(made):
        _console.print(line, highlight=False, markup=False, soft_wrap=True)
    if made.different:
        raise typer.Exit(1)


@app.command("export")
def export_command(
    out: Built,
    to: Annotated[Path, typer.Option(help="Folder to write; what it holds already is not written again.")],
    format: Annotated[str, typer.Option(help="flux-fill, musubi, diffsynth, png, ora or psd.")],
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "train",
    limit: Annotated[int, typer.Option(min=0, help="The first so many samples; 0 is all.")] = 0,
) -> None:
    """Write a data set as other trainers read it, or as layered documents: OpenRaster, Photoshop."""
    from pipeline.exports import export
    from pipeline.progress import Terminal

    with Terminal(_console) as terminal:
        written = export(out.resolve(), to, format, split, limit, terminal)
    _console.print(f"{to}: {written} samples written as {format}", highlight=False, markup=False, soft_wrap=True)


@assets.command("report")
def assets_report_command(
    manifest: Annotated[Path, typer.Argument(help="A manifest, e.g. manifests/data/sample.toml.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    cache: Cache,
    workers: Workers = _CORES,
    address: Address = None,
    device: Device = "cpu",
    gpu_share: GpuShare = 1.0,
) -> None:
    """Fetch and prepare all assets of a manifest; say what was kept and what was not and why, with contact sheets."""
    from pipeline.asset_report import counts, write_report
    from pipeline.collect import gather
    from pipeline.load import load_manifest
    from pipeline.progress import Terminal
    from pipeline.summary import print_assets

    loaded, cache = load_manifest(manifest), cache.resolve()
    with Terminal(_console) as terminal:
        machine = Machine(workers, address, device, gpu_share)
        kept, dropped = gather(loaded, manifest.parent, cache, machine, terminal)
        path = write_report(loaded, kept, dropped, cache, out, terminal)
    print_assets(_console, counts(kept, dropped))
    _console.print(f"look at {path}", highlight=False, markup=False, soft_wrap=True)


@app.callback()
def about() -> None:
    """Layered scenes from open assets: build them, check them, look at them."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend."""
    return (ManifestError, AssetError, ShardError, ClusterError)


def run(command: Callable[[], object], known: Callable[[], tuple[type[Exception], ...]]) -> None:
    """Run a command; an error of the `known` kinds, asked for when one comes, is told on stderr: exit status 1."""
    try:
        command()
    except known() as error:
        _errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def main() -> None:
    """Run the data engine's commands alone; its own errors end them with one message and exit status 1."""
    run(app, errors)


if __name__ == "__main__":
    main()
