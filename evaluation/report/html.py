"""A report as one page that needs nothing else: no server, no network; pictures within it or beside it.

The page runs only its own script and style: a Content-Security-Policy (W3C CSP Level 3) lists their hashes and lets
pictures come from the page itself or from files, never from the network.
"""

from pathlib import Path
from string import Template

from evaluation.report.content import content
from evaluation.results import Report
from stages.page import safe_json, source_hash

_HERE = Path(__file__).parent
_SCRIPTS = ("dom.js", "methods.js", "pictures.js", "viewer.js", "page.js")


def html(report: Report, embed: bool = False, folder: Path | None = None) -> str:
    """The page. With `embed`, the pictures, PNG or JPEG files below `folder`, are put in as data URIs and those that
    cannot be are named on the page; otherwise the page links to them relative to where it lies."""
    assert folder is not None or not embed, "embedded pictures need the folder that they are in"
    style, script = _read("page.css"), "\n".join(map(_read, _SCRIPTS))
    return Template(_read("page.html")).substitute(
        style=style,
        script=script,
        style_hash=source_hash(style),
        script_hash=source_hash(script),
        data=safe_json(content(report, folder if embed else None)),
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
