"""The commands that publish. Part of the `layerloom` command."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from publish.errors import PublishError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
_console = Console()

Repo = Annotated[str, typer.Argument(help="Where to publish it on the Hub: organisation/name.")]
Tag = Annotated[str | None, typer.Option(help="Tag of the merged commit; else one that names the content.")]
Private = Annotated[bool, typer.Option("--private", help="A repository that has to be made is private.")]
Merge = Annotated[bool, typer.Option(help="Merge and tag it, once verified; else leave the pull request open.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be uploaded; nothing is asked of the Hub.")
]


@app.callback()
def about() -> None:
    """Data sets and models on the Hugging Face Hub."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend."""
    return (PublishError,)


@app.command("publish")
def publish_command(
    out: Annotated[Path, typer.Argument(help="Folder of a data set that was built.")],
    repo: Repo,
    tag: Tag = None,
    private: Private = False,
    merge: Merge = True,
    dry_run: DryRun = False,
) -> None:
    """Publish a data set: upload it to a pull request, verify every file there, merge, tag. Run again to go on."""
    with _libraries():
        from publish import dataset, plan, upload
    from pipeline.progress import Terminal

    upload.check_repo(repo)
    made = dataset.prepare(out.resolve(), repo, tag, private, merge)
    if dry_run:
        _say(plan.plan_lines(made.items, made.target, made.notes))
        return
    with Terminal(_console) as terminal:
        done = upload.upload(made.items, made.target, terminal)
    _say(plan.published_lines(done))


@contextmanager
def _libraries() -> Iterator[None]:
    """Inside, what only publishing needs is imported, or told to be missing."""
    try:
        logging.getLogger("absl").setLevel(logging.ERROR)  # mlcroissant's advice
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("publish", "pipeline", "model", "evaluation", "stages"):
            raise
        raise PublishError(f"{error.name} is not installed; pip install 'layerloom[publish]'") from error


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        _console.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
