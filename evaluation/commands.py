"""What `layerloom evaluate` does: choose protocols, run them, write the reports."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from evaluation.errors import EvalError
from evaluation.protocol import FOLDER, Protocol, load_protocol
from evaluation.report.html import html
from evaluation.report.markdown import markdown
from evaluation.results import Report
from evaluation.run import Tell, evaluate, located


def evaluate_all(
    names: Sequence[str],
    methods: Sequence[str],
    also: Sequence[str],
    roots: Sequence[Path],
    out: Path,
    embed: bool,
    tell: Tell,
) -> list[Path]:
    """Run protocols by name or file, or all whose test set is there, and write the reports; returns their paths.

    `methods` run in place of those of each protocol, `also` beside them. Raises as `load_protocol` and `evaluate` do.
    """
    chosen = [load_protocol(Path(name)) for name in names] or present(roots)
    out.mkdir(parents=True, exist_ok=True)
    asked = [p.model_copy(update={"methods": (*(methods or p.methods), *also)}) for p in chosen]
    return write_reports(evaluate(asked, roots, out, tell), out, embed)


def present(roots: Sequence[Path]) -> list[Protocol]:
    """The protocols of the repository whose test set is in one of `roots`. Raises EvalError where there is none."""
    shipped = [load_protocol(path) for path in sorted(FOLDER.glob("*.toml"))]
    found = [p for p in shipped if located(Path(p.data.path), roots)]
    if not found:
        looked = ", ".join(str(root) for root in roots)
        raise EvalError(f"no test set in {looked}; `make data` builds one, or give --data a folder that has some")
    return found


def write_reports(report: Report, out: Path, embed: bool) -> list[Path]:
    """`report.json`, `report.md` and `report.html` in `out`."""
    parts = {
        "report.json": orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2),
        "report.md": markdown(report).encode(),
        "report.html": html(report, embed, out).encode(),
    }
    for name, data in parts.items():
        (out / name).write_bytes(data)
    return [out / name for name in parts]
