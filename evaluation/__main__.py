"""`layerloom evaluate`: protocols, methods and test sets to one report."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from evaluation.errors import EvalError
from stages.lazy import quiet
from stages.settings import ManifestError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

_console = Console()
_ROOTS = [Path("build/eval-data"), Path("out")]


@app.callback()
def about() -> None:
    """Methods scored on test sets by named protocols."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend, beside what the model's own commands tell."""
    return (ManifestError, EvalError)


Protocols = Annotated[list[str] | None, typer.Argument(help="By name or file; else all whose test set is there.")]
Instead = Annotated[list[str] | None, typer.Option(help="Method in place of each protocol's, e.g. telea, folder:PATH.")]
Also = Annotated[list[str] | None, typer.Option(help="Method beside each protocol's, e.g. model:weights/nano-adapt.")]
Data = Annotated[list[Path] | None, typer.Option(help="Folder with test sets; else build/eval-data and out.")]
Out = Annotated[Path, typer.Option(help="For predictions and reports; what is there is not done again.")]
Embed = Annotated[bool, typer.Option(help="Put the pictures into the page, so that it can be sent alone.")]


@app.command("evaluate")
def evaluate_command(
    protocols: Protocols = None,
    method: Instead = None,
    also: Also = None,
    data: Data = None,
    out: Out = Path("out/eval"),
    embed: Embed = False,
) -> None:
    """Score methods on test sets by named protocols: report.json, report.md and report.html."""
    from evaluation.commands import evaluate_all

    with Progress(console=_console, transient=True) as bar, quiet():
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        written = evaluate_all(protocols or [], method or [], also or [], data or _ROOTS, out, embed, tell)
    for path in written:
        _console.print(str(path), markup=False, highlight=False, soft_wrap=True)
