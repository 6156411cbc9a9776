"""The page itself: style, scripts and tables in one file; pictures and layers come from the folder beside it.

It runs only its own script and, to read a file beside it, scripts of its own origin or from files: a page from a file
may read others in no other way (HTML Living Standard, "Origin": that of a file is opaque). The
Content-Security-Policy (W3C CSP Level 3) lets nothing come from the network.
"""

from html import escape
from pathlib import Path
from string import Template
from typing import Any

import orjson

from stages.page import safe_json, source_hash

_HERE = Path(__file__).parent
_SCRIPTS = (
    "dom.js",
    "files.js",
    "compose.js",
    "bins.js",
    "histograms.js",
    "filters.js",
    "grid.js",
    "layers.js",
    "drag.js",
    "scene.js",
    "facts.js",
    "address.js",
    "page.js",
)


def html(name: str, tables: dict[str, Any]) -> str:
    """The page of the build `name`; `tables` are those of `pipeline.explore.content` and where the files lie."""
    style, script = _read("page.css"), "\n".join(map(_read, _SCRIPTS))
    return Template(_read("page.html")).substitute(
        name=escape(name),
        style=style,
        script=script,
        style_hash=source_hash(style),
        script_hash=source_hash(script),
        data=safe_json(tables),
    )


def call(name: str, value: Any) -> bytes:
    """A script that hands `value` to the page under the name `name`; JSON is JavaScript (ECMA-262, 2019)."""
    return b"layerloom(" + orjson.dumps(name) + b", " + orjson.dumps(value) + b");\n"


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
