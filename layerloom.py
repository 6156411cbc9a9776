"""The `layerloom` command: the commands of the data engine, the model, the evaluation and publishing under one name."""

import typer

from evaluation import __main__ as evaluation
from model import __main__ as model
from pipeline import __main__ as pipeline
from publish import __main__ as publish

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
for part in (pipeline.app, model.app, evaluation.app, publish.app):
    app.add_typer(part, callback=None)  # without a name: its commands stand beside the others


@app.callback()
def about() -> None:
    """Layered scenes from open assets, and a model that takes pictures apart into layers."""


def errors() -> tuple[type[Exception], ...]:
    """What can be wrong for a user to mend, in all parts."""
    return (*pipeline.errors(), *model.errors(), *evaluation.errors(), *publish.errors())


def main() -> None:
    """Run the command; the project's own errors end it with one message and exit status 1."""
    pipeline.run(app, errors)


if __name__ == "__main__":
    main()
