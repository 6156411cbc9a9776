"""The commands that publish. Part of the `layerloom` command."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from publish.errors import PublishError
from stages.lazy import installed

if TYPE_CHECKING:
    from publish.remote import Item, Target

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
_console = Console()

Repo = Annotated[str, typer.Argument(help="Where to publish it on the Hub: organisation/name.")]
Tag = Annotated[str | None, typer.Option(help="Tag of the merged commit; else one that names the content.")]
Private = Annotated[bool, typer.Option("--private", help="A repository that has to be made is private.")]
Merge = Annotated[bool, typer.Option(help="Merge and tag it, once verified; else leave the pull request open.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be uploaded.")]


@app.callback()
def about() -> None:
    """Data sets and models on the Hugging Face Hub."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend, beside what pipeline and model tell."""
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
    with installed(_missing):
        from publish import dataset, upload

        upload.check_repo(repo)
        made = dataset.prepare(out.resolve(), repo, tag, private, merge)
    _publish(made.items, made.target, made.notes, dry_run)


@app.command("publish-model")
def publish_model_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished model, or of the run that made it.")],
    repo: Repo,
    report: Annotated[
        list[Path] | None, typer.Option(help="report.json of layerloom evaluate, with scores of this very model.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Its licence's id; else that of its card, else of its base.")
    ] = None,
    tag: Tag = None,
    private: Private = False,
    merge: Merge = True,
    dry_run: DryRun = False,
) -> None:
    """Publish a model with a card of its recipe, data, scores and licence. Run again to go on."""
    with installed(_missing):
        from publish import model, upload

        upload.check_repo(repo)
        items = model.prepare_model(folder, repo, report or [], license)
    _publish(items, model.target_of(items, repo, tag, private, merge), [], dry_run)


def _publish(items: "list[Item]", target: "Target", notes: list[str], dry_run: bool) -> None:
    from pipeline.progress import Terminal
    from publish import plan, upload

    if dry_run:
        _say(plan.plan_lines(items, target, notes))
        return
    with Terminal(_console) as terminal:
        done = upload.upload(items, target, terminal)
    _say(plan.published_lines(done))


def _missing(name: str) -> PublishError:
    return PublishError(f"{name} is not installed; pip install 'layerloom[publish,eval]'")


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        _console.print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
